// Stack switches and the stack-growth entry. Ports the switching part of asm_amd64.s.
//
// Invariants:
//  - A goroutine that does not run has, at g.sched.sp, this block (the switch block):
//        sp+0  r15   +8 r14   +16 r13   +24 r12   +32 rbx   +40 rbp   +48 address to continue at
//    so every live register is in the used part of its stack when the stack is moved.
//  - gort_tls_g and %fs:112 change together with rsp: the g that they name is the one whose stack
//    rsp is on. Between the two stores nothing may fault or be called.
//  - All of this runs without a stack check; the deepest use is __morestack's: 72 + 128 (256 with
//    AVX) + 56 bytes, inside the stackGuard bytes below the limit.
//
// Offsets below are checked against runtime2.h in proc_init.cc.

#define g_stackguard0 16
#define g_m 40
#define g_sched_sp 48
#define g_sched_pc 56
#define g_sched_bp 64
#define g_morestackframe 72
#define g_syscallregs 80
#define m_g0 0
#define m_gsignal 8
#define m_curg 16

#define stackguard %fs:112
#define tls_g %fs:gort_tls_g@tpoff

// What lld adds to the frame of a function that calls code without a stack check. The same number
// stands in tools/bazel/flags.bzl.
#if GORT_TSAN
#define nonsplit_adjust 4096
#else
#define nonsplit_adjust 16384
#endif

    .section .note.GNU-split-stack,"",@progbits
    .section .note.GNU-stack,"",@progbits

    .section .tbss,"awT",@nobits
    .globl gort_tls_g
    .type gort_tls_g, @object
    .size gort_tls_g, 8
    .align 8
gort_tls_g:
    .zero 8

    .text

#define FUNC(name) .globl name; .type name, @function; .p2align 4; name:
#define ENDFUNC(name) .size name, . - name

.macro PUSH_SWITCH_BLOCK
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
.endm

.macro POP_SWITCH_BLOCK
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
.endm

// Saves the switch block's address, continuation and frame pointer in the g in rax.
.macro SAVE_SCHED
    movq %rsp, g_sched_sp(%rax)
    movq 48(%rsp), %rdx
    movq %rdx, g_sched_pc(%rax)
    movq %rbp, g_sched_bp(%rax)
.endm

// void gort_mcall(void (*fn)(g*))
FUNC(gort_mcall)
    PUSH_SWITCH_BLOCK
    movq tls_g, %rax
    SAVE_SCHED
    movq g_m(%rax), %rcx
    movq m_g0(%rcx), %rsi
    cmpq %rax, %rsi
    je 1f
    movq %rsi, tls_g
    movq g_stackguard0(%rsi), %rcx
    movq %rcx, stackguard
    movq g_sched_sp(%rsi), %rsp
    andq $-16, %rsp
    xorl %ebp, %ebp
#if GORT_TSAN
    pushq %rax
    pushq %rdi
    movq %rsi, %rdi
    call gort_race_tog0
    popq %rdi
    popq %rax
#endif
    movq %rdi, %rdx
    movq %rax, %rdi
    call *%rdx
    call gort_badmcall2
    ud2
1:  call gort_badmcall
    ud2
ENDFUNC(gort_mcall)

// void gort_gogo(g*). Jumps rather than returns: the return predictor knows nothing of this stack.
FUNC(gort_gogo)
#if GORT_TSAN
    pushq %rdi
    call gort_race_gogo
    popq %rdi
#endif
    movq %rdi, tls_g
    movq g_stackguard0(%rdi), %rcx
    movq g_sched_sp(%rdi), %rdx
    movq %rcx, stackguard
    movq $0, g_sched_sp(%rdi)
    movq %rdx, %rsp
    POP_SWITCH_BLOCK
    popq %rcx
    jmp *%rcx
ENDFUNC(gort_gogo)

// void gort_systemstack(void (*fn)(void*), void* arg)
FUNC(gort_systemstack)
    movq tls_g, %rax
    testq %rax, %rax
    je 1f
    movq g_m(%rax), %rcx
    movq m_g0(%rcx), %r8
    cmpq %rax, %r8
    je 1f
    cmpq %rax, m_gsignal(%rcx)
    je 1f
    PUSH_SWITCH_BLOCK
    SAVE_SCHED
    movq %r8, tls_g
    movq g_stackguard0(%r8), %rcx
    movq %rcx, stackguard
    movq g_sched_sp(%r8), %rsp
    andq $-16, %rsp
    xorl %ebp, %ebp
    movq %rdi, %rdx
    movq %rsi, %rdi
    call *%rdx
    // The goroutine's stack may have been moved meanwhile: its sp is read again.
    movq tls_g, %rax
    movq g_m(%rax), %rcx
    movq m_curg(%rcx), %rax
    movq %rax, tls_g
    movq g_stackguard0(%rax), %rcx
    movq %rcx, stackguard
    movq g_sched_sp(%rax), %rsp
    movq $0, g_sched_sp(%rax)
    POP_SWITCH_BLOCK
    ret
1:  movq %rdi, %rdx
    movq %rsi, %rdi
    jmp *%rdx
ENDFUNC(gort_systemstack)

// void entersyscall(), void entersyscallblock(): keep the registers that the C++ code may have
// pointers in where a stack scan finds them.
.macro SAVE_SYSCALL_REGS
    movq tls_g, %rax
    movq %rbx, g_syscallregs(%rax)
    movq %r12, g_syscallregs+8(%rax)
    movq %r13, g_syscallregs+16(%rax)
    movq %r14, g_syscallregs+24(%rax)
    movq %r15, g_syscallregs+32(%rax)
.endm
FUNC(gort_entersyscall)
    SAVE_SYSCALL_REGS
    jmp gort_entersyscall1
ENDFUNC(gort_entersyscall)
FUNC(gort_entersyscallblock)
    SAVE_SYSCALL_REGS
    jmp gort_entersyscallblock1
ENDFUNC(gort_entersyscallblock)

// void gort_startg0(void (*fn)()): records this place as the base of the g0 stack that is current,
// and calls fn. gort_g0return, from anywhere deeper on this stack, makes this call return.
FUNC(gort_startg0)
    PUSH_SWITCH_BLOCK
    movq tls_g, %rax
    SAVE_SCHED
    xorl %ebp, %ebp
    subq $8, %rsp
    call *%rdi
    ud2
ENDFUNC(gort_startg0)

FUNC(gort_g0return)
    movq tls_g, %rax
    movq g_sched_sp(%rax), %rsp
    POP_SWITCH_BLOCK
    ret
ENDFUNC(gort_g0return)

// First code of a goroutine: r12 is its function, r13 the argument (newproc1 put them there).
FUNC(gort_gostart)
    movq %r13, %rdi
    call *%r12
    call gort_goexit1
    ud2
ENDFUNC(gort_gostart)

// void gort_switchto(uintptr sp, void (*fn)())
FUNC(gort_switchto)
    movq %rdi, %rsp
    andq $-16, %rsp
    xorl %ebp, %ebp
    call *%rsi
    ud2
ENDFUNC(gort_switchto)

FUNC(gort_procyield)
1:  pause
    subl $1, %edi
    jnz 1b
    ret
ENDFUNC(gort_procyield)

// Called by the prologue of a function that calls code without a stack check, whatever room there
// is (lld turned its compare into an unconditional call). Only r11 is free.
FUNC(__morestack_non_split)
    movq %rsp, %r11
    subq %r10, %r11
    subq $nonsplit_adjust, %r11
    cmpq stackguard, %r11
    jbe 1f
    movq %rax, %r10
    popq %r11
    incq %r11
    jmp *%r11
1:  addq $nonsplit_adjust, %r10
ENDFUNC(__morestack_non_split)
    // falls through

// Called by a prologue that found too little stack. On entry r10 is the frame's size, (rsp) the
// return address into the function's tail, 8(rsp) the function's own return address. Continues at
// the former + 1, behind a ret that is never executed. Every argument register is kept; r10 becomes
// rax, where the compilers park the static chain.
    .globl __morestack
    .type __morestack, @function
    // The same place for tracebacks: lld would turn a use of __morestack's own address in a function
    // that calls code without a stack check into __morestack_non_split's.
    .globl gort_morestack_begin
gort_morestack_begin:
__morestack:
    pushq %rbp
    movq %rsp, %rbp
    pushq %rdi
    pushq %rsi
    pushq %rdx
    pushq %rcx
    pushq %r8
    pushq %r9
    pushq %rax
    movq tls_g, %rax
    testq %rax, %rax
    je 9f
    movq g_m(%rax), %rcx
    cmpq %rax, m_g0(%rcx)
    je 8f
    cmpq %rax, m_gsignal(%rcx)
    je 8f
    movq %r10, g_morestackframe(%rax)
    cmpb $0, gort_hasavx(%rip)
    jne 2f
    subq $128, %rsp
    movups %xmm0, (%rsp)
    movups %xmm1, 16(%rsp)
    movups %xmm2, 32(%rsp)
    movups %xmm3, 48(%rsp)
    movups %xmm4, 64(%rsp)
    movups %xmm5, 80(%rsp)
    movups %xmm6, 96(%rsp)
    movups %xmm7, 112(%rsp)
    leaq gort_newstack(%rip), %rdi
    call gort_mcall
    movups (%rsp), %xmm0
    movups 16(%rsp), %xmm1
    movups 32(%rsp), %xmm2
    movups 48(%rsp), %xmm3
    movups 64(%rsp), %xmm4
    movups 80(%rsp), %xmm5
    movups 96(%rsp), %xmm6
    movups 112(%rsp), %xmm7
    addq $128, %rsp
    jmp 7f
2:  subq $256, %rsp
    vmovups %ymm0, (%rsp)
    vmovups %ymm1, 32(%rsp)
    vmovups %ymm2, 64(%rsp)
    vmovups %ymm3, 96(%rsp)
    vmovups %ymm4, 128(%rsp)
    vmovups %ymm5, 160(%rsp)
    vmovups %ymm6, 192(%rsp)
    vmovups %ymm7, 224(%rsp)
    vzeroupper
    leaq gort_newstack(%rip), %rdi
    call gort_mcall
    vmovups (%rsp), %ymm0
    vmovups 32(%rsp), %ymm1
    vmovups 64(%rsp), %ymm2
    vmovups 96(%rsp), %ymm3
    vmovups 128(%rsp), %ymm4
    vmovups 160(%rsp), %ymm5
    vmovups 192(%rsp), %ymm6
    vmovups 224(%rsp), %ymm7
    addq $256, %rsp
7:  movq tls_g, %rax
    movq $0, g_morestackframe(%rax)
    popq %rax
    popq %r9
    popq %r8
    popq %rcx
    popq %rdx
    popq %rsi
    popq %rdi
    popq %rbp
    movq %rax, %r10
    popq %r11
    incq %r11
    jmp *%r11
    // On a system stack: a request for preemption that was meant for the goroutine may have hit the
    // limit of this stack. If there is room, put the limit right and go on.
8:  leaq 16(%rbp), %rcx
    subq %r10, %rcx
    movq g_stackguard0(%rax), %rdx
    cmpq %rdx, %rcx
    jbe 9f
    movq %rdx, stackguard
    jmp 7b
9:  movq %rbp, %rdi
    movq %r10, %rsi
    andq $-16, %rsp
    movq $0, stackguard
    call gort_badmorestack
    ud2
    .globl gort_morestack_end
gort_morestack_end:
    .size __morestack, . - __morestack
