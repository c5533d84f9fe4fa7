// Walking and printing stacks. Ports traceback.go.
//
// A frame is found by frame pointers: every function pushes rbp and points it there, so [bp] is the
// caller's bp and [bp+8] the pc in the caller. Three places differ:
//  - a goroutine that does not run: gobuf.pc and gobuf.bp are the innermost frame;
//  - a function that was stopped in its prologue, by gort_morestack_begin, has no frame yet. From
//    __morestack's own frame at B:
//        [B]     bp of the caller of f          [B+8]  pc in f's prologue
//        [B+16]  pc in the caller of f
//  - a function that a signal stopped before it had made its frame, or behind its end: the pc in the
//    caller lies where the stack pointer is, or a word above, if it has just saved rbp.
//
// Invariants:
//  - No word outside the bounds of the goroutine's stack is read, and every step goes strictly
//    upwards, so a walk ends whatever the stack holds.
//  - The stack must not move or run meanwhile: gp is stopped, or it is the current one and the
//    walker runs on the system stack (initAt throws otherwise).
#pragma once

#include "runtime2.h"
#include "symtab.h"

namespace gort::runtime {

// Frames at the two ends of a long stack that a printed traceback shows.
inline constexpr int tracebackInnerFrames = 50;
inline constexpr int tracebackOuterFrames = 50;

using unwindFlags = std::uint8_t;
// Say what is wrong with a stack that cannot be followed, and stop.
inline constexpr unwindFlags unwindPrintErrors = 1 << 0;
// Just stop. Functions are not looked up then (fn stays invalid), which makes the walk fast.
inline constexpr unwindFlags unwindSilentErrors = 1 << 1;
// pc is an instruction that was interrupted, not a return address. Changes as the walk goes on.
inline constexpr unwindFlags unwindTrap = 1 << 2;

//   for (u.init(gp, flags); u.valid(); u.next()) ...
struct unwinder {
  uintptr pc;  // in the current frame's function; 0 when there is no frame
  uintptr sp;  // lowest address known to belong to the frame
  uintptr bp;  // the frame's own frame pointer, or its caller's while inprologue
  funcInfo fn;
  g* gp;
  unwindFlags flags;
  bool inprologue;

  // Innermost frame of gp, which must not be running.
  void init(g* gp, unwindFlags flags);
  // From a frame that is known, with bp its frame pointer.
  void initAt(uintptr pc, uintptr sp, uintptr bp, g* gp, unwindFlags flags);
  bool valid() const { return pc != 0; }
  void next();
  // The address to look up in line tables: inside the call instruction, for a return address.
  uintptr symPC() const;
  // Where the frame ends: the stack pointer of the caller at the call.
  uintptr fp() const { return inprologue ? sp + sys::PtrSize : bp == 0 ? sp : bp + 16; }

 private:
  void found(uintptr callerpc);
  // After pc and fn are known: whether the function that was interrupted there has a frame.
  void settle();
  void stop(const char* why);
  bool instack(uintptr p) const;
};

// Where a goroutine stood at a go statement; proc_ancestors.cc has the rules. A crash reads these
// while others may write them, and takes any value.
struct ancestorInfo {
  atomic::Racy<ancestorInfo*> next;  // who started this one; also links the free list
  atomic::Racy<std::uint64_t> goid;
  atomic::Racy<uintptr> gopc;  // pc of the go statement that started it
  atomic::Racy<int> npcs;
  atomic::Racy<uintptr> pcs[tracebackInnerFrames];  // its innermost frames, return addresses
};

// Prints gp's stack from the given frame, and its ancestors'; ~0 for where gp is stopped.
void traceback(uintptr pc, uintptr sp, uintptr bp, g* gp);
// The same for a frame whose pc was interrupted by a signal.
void tracebacktrap(uintptr pc, uintptr sp, uintptr bp, g* gp);
// All goroutines but me, the crashing one. Takes no lock.
void tracebackothers(g* me);
// «goroutine 7 [chan receive, 3 minutes]:»
void goroutineheader(g* gp);
// «created by main.main in goroutine 1» and where; nothing for goroutine 1.
void printcreatedby(g* gp);
// Hexadecimal dump around sp.
void tracebackHexdump(struct stack stk, uintptr sp, uintptr fp, uintptr bad);

// Return addresses of the calling goroutine's frames, from the caller of callers on (skip 0).
// Inlined calls count for skip; a function with what is inlined in it is one entry. Returns the
// number stored.
int callers(int skip, uintptr* pcbuf, int n);
// The same for gp, which is stopped.
int gcallers(g* gp, int skip, uintptr* pcbuf, int n);
int tracebackPCs(unwinder* u, int skip, uintptr* pcbuf, int n);

// Whether a function with this Go-form name is shown to users at the current level.
bool showfuncinfo(const symname& name, bool firstFrame);

}  // namespace gort::runtime
