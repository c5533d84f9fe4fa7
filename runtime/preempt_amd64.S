// Where signals enter the runtime, and where goroutines that they stopped leave and come back. Ports
// preempt_amd64.s and the signal part of sys_linux_amd64.s.
//
// Invariants:
//  - A signal may come between any two instructions, those of asm_amd64.S included: the g that is
//    current and the limit in %fs:112 may be anybody's. gort_sigtramp takes both as they are and puts
//    them back; the stack that it runs on is the signal stack of the thread.
//  - A request for preemption that is stored to %fs:112 while a handler runs is kept: a goroutine
//    that sees one too many looks and goes on.
//  - gort_asyncPreempt keeps every register and the flags. It is entered as if the interrupted code
//    had called it, at an instruction where isAsyncSafePoint found rbp to be the frame pointer and
//    room for what is pushed here: 8 + 8 + 14 * 8, and gort_mcall's 56 bytes. Goroutine code has no
//    red zone.
//  - The vector registers go to the M's block, which asyncPreempt2 hands to the goroutine; no other
//    code runs on this M in between that would use the block.

    .section .note.GNU-split-stack,"",@progbits
    .section .note.GNU-stack,"",@progbits

#define g_m 40
#define g_vecstate 120
#define g_asyncSafePoint 128
#define m_vecstate 24
#define stackPreempt -1314
#define stackguard %fs:112
#define tls_g %fs:gort_tls_g@tpoff

    .text

#define FUNC(name) .globl name; .type name, @function; .p2align 4; name:
#define ENDFUNC(name) .size name, . - name

// void gort_sigtramp(int sig, siginfo_t* info, void* ctx), called by the kernel.
FUNC(gort_sigtramp)
    pushq %rbp
    movq %rsp, %rbp
    pushq %rbx
    pushq %r12
    movq stackguard, %rbx
    movq tls_g, %r12
    movq $0, stackguard
    call gort_sigtrampgo
    movq %r12, tls_g
    xchgq %rbx, stackguard
    cmpq $stackPreempt, %rbx
    jne 1f
    movq %rbx, stackguard
1:  popq %r12
    popq %rbx
    popq %rbp
    ret
ENDFUNC(gort_sigtramp)

// What the kernel returns to: it drops the signal's frame.
FUNC(gort_sigreturn)
    movl $15, %eax
    syscall
    ud2
ENDFUNC(gort_sigreturn)

// void gort_sigfwd(void (*fn)(int, siginfo_t*, void*), int sig, siginfo_t* info, void* ctx): fn with
// no stack limit in force.
FUNC(gort_sigfwd)
    pushq %rbp
    movq %rsp, %rbp
    andq $-16, %rsp
    movq %rdi, %rax
    movl %esi, %edi
    movq %rdx, %rsi
    movq %rcx, %rdx
    call *%rax
    movq %rbp, %rsp
    popq %rbp
    ret
ENDFUNC(gort_sigfwd)

FUNC(gort_asyncPreempt)
    pushq %rbp
    movq %rsp, %rbp
    pushfq
    cld
    pushq %rax
    pushq %rbx
    pushq %rcx
    pushq %rdx
    pushq %rsi
    pushq %rdi
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq tls_g, %rcx
    movq g_m(%rcx), %rcx
    movq m_vecstate(%rcx), %rcx
    movl gort_vecmask(%rip), %eax
    xorl %edx, %edx
    testl %eax, %eax
    jz 1f
    xsave64 (%rcx)
    jmp 2f
1:  fxsave64 (%rcx)
2:  leaq gort_asyncPreempt2(%rip), %rdi
    call gort_mcall
    movq tls_g, %rdi
    movq g_vecstate(%rdi), %rcx
    movl gort_vecmask(%rip), %eax
    xorl %edx, %edx
    testl %eax, %eax
    jz 3f
    xrstor64 (%rcx)
    jmp 4f
3:  fxrstor64 (%rcx)
4:  movb $0, g_asyncSafePoint(%rdi)
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rdi
    popq %rsi
    popq %rdx
    popq %rcx
    popq %rbx
    popq %rax
    popfq
    popq %rbp
    ret
ENDFUNC(gort_asyncPreempt)
