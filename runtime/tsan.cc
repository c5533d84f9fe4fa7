// See tsan.h. Everything here is itself outside TSan's view.
#include "tsan.h"

#if GORT_TSAN

#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "moduledata.h"
#include "os_linux.h"
#include "panic_throw.h"
#include "stubs.h"

#define GORT_UNSEEN __attribute__((disable_sanitizer_instrumentation)) GORT_NOINLINE

extern "C" {
void* __tsan_get_current_fiber(void);
void* __tsan_create_fiber(unsigned flags);
void __tsan_switch_to_fiber(void* fiber, unsigned flags);
void __tsan_func_entry(void* pc);
void __tsan_func_exit(void);
void __tsan_read_range(void* p, std::size_t n);
void __tsan_write_range(void* p, std::size_t n);
}

namespace gort::runtime {

namespace {

// Fibers count against TSan's limit on threads; Go's race build stops at the same number.
constexpr std::int32_t maxFibers = 8128;
atomic::Int32 nfibers;

// Where, in TSan's per-thread state (which a fiber handle points to), the position in the shadow
// call stack is kept. TSan has no interface for it; raceinit finds it by entering a function.
uintptr shadowOffset;

GORT_UNSEEN uintptr* shadowPosOf(void* fiber) { return add<uintptr>(fiber, shadowOffset); }

}  // namespace

GORT_UNSEEN void raceinit() {
  void* self = __tsan_get_current_fiber();
  constexpr int words = 64;
  uintptr before[words], entered[words];
  // Volatile: a copy by memcpy would go through an interceptor, which is itself on the shadow stack.
  auto* state = static_cast<volatile uintptr*>(self);
  for (int i = 0; i < words; i++) before[i] = state[i];
  __tsan_func_entry(reinterpret_cast<void*>(0x1234));
  for (int i = 0; i < words; i++) entered[i] = state[i];
  __tsan_func_exit();
  for (int i = 0; i < words; i++) {
    if (entered[i] == before[i] + 8 && state[i] == before[i] &&
        *reinterpret_cast<uintptr*>(before[i]) == 0x1234) {
      shadowOffset = static_cast<uintptr>(i) * 8;
      return;
    }
  }
  throw_("race: cannot find the shadow call stack in this version of TSan");
}

// TSan's own tables are static variables, 20 MB of bss with addresses of the program's objects in
// them. Nothing but their names tells them from the program's: they are looked up in the executable's
// symbol table. The linker puts the sanitizer's library first, so that its variables lie together.
GORT_UNSEEN uintptr raceDataEnd(uintptr lo, uintptr hi) {
  long fd = rawsyscall(SYS_open, reinterpret_cast<long>("/proc/self/exe"), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return lo;
  long size = rawsyscall(SYS_lseek, fd, 0, SEEK_END);
  long map = rawsyscall(SYS_mmap, 0, size, PROT_READ, MAP_PRIVATE, fd, 0);
  rawsyscall(SYS_close, fd);
  if (map < 0 && map > -4096) return lo;
  auto* image = reinterpret_cast<const char*>(map);
  auto* header = reinterpret_cast<const Elf64_Ehdr*>(image);
  auto* sections = reinterpret_cast<const Elf64_Shdr*>(image + header->e_shoff);
  // Where the image was loaded: the address of this header in memory.
  uintptr base = header->e_type == ET_DYN ? firstmoduledata().start : 0;
  auto sanitizers = [](const char* name) {
    while (*name == '_') name++;
    if (name[0] == 'Z') name++;
    if (name[0] == 'Z') name++;
    if (name[0] == 'N') name++;
    for (const char* p : {"6__tsan", "11__sanitizer", "7__ubsan", "14__interception"}) {
      const char* n = name;
      while (*p != 0 && *p == *n) p++, n++;
      if (*p == 0) return true;
    }
    return false;
  };
  uintptr end = lo;
  for (int i = 0; i < header->e_shnum; i++) {
    if (sections[i].sh_type != SHT_SYMTAB) continue;
    const char* names = image + sections[sections[i].sh_link].sh_offset;
    auto* sym = reinterpret_cast<const Elf64_Sym*>(image + sections[i].sh_offset);
    for (uintptr n = sections[i].sh_size / sizeof *sym; n > 0; n--, sym++) {
      if (ELF64_ST_TYPE(sym->st_info) != STT_OBJECT) continue;
      uintptr to = base + sym->st_value + sym->st_size;
      if (to <= end || to > hi || !sanitizers(names + sym->st_name)) continue;
      end = to;
    }
  }
  rawsyscall(SYS_munmap, map, size);
  return end;
}

GORT_UNSEEN void racethreadinit(g* gp) {
  gp->racectx = __tsan_get_current_fiber();
  gp->racestack = *shadowPosOf(gp->racectx);
}

GORT_UNSEEN void racegostart(g* gp) {
  if (gp->racectx == nullptr) {
    if (nfibers.Add(1) > maxFibers)
      fatal("race: limit on 8128 simultaneously alive goroutines is exceeded, dying");
    gp->racectx = __tsan_create_fiber(0);
    gp->racestack = *shadowPosOf(gp->racectx);
  }
  *shadowPosOf(gp->racectx) = gp->racestack;
}

GORT_UNSEEN uintptr raceShadowPos() { return *shadowPosOf(__tsan_get_current_fiber()); }
GORT_UNSEEN void raceSetShadowPos(uintptr pos) { *shadowPosOf(__tsan_get_current_fiber()) = pos; }

GORT_UNSEEN void raceReadRange(const void* p, uintptr n) {
  __tsan_read_range(const_cast<void*>(p), n);
}
GORT_UNSEEN void raceWriteRange(void* p, uintptr n) { __tsan_write_range(p, n); }

// Called by the assembly directly before it leaves g0 for gp, and after it came to g0.
extern "C" {
GORT_UNSEEN void gort_race_gogo(g* gp) {
  g* me = getg();
  *shadowPosOf(me->racectx) = me->racestack;
  __tsan_switch_to_fiber(gp->racectx, 0);
}
GORT_UNSEEN void gort_race_tog0(g* gp) { __tsan_switch_to_fiber(gp->racectx, 0); }
}

}  // namespace gort::runtime

#endif
