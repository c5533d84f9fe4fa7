// The way to the explorer and back. See explore.h.
//
// Invariants:
//  - Nothing but rsp changes: not g, not the stack limit, not g.sched. Host code has no stack check,
//    so the limit of the stack that was left does not matter there.
//  - A replay asks at other steps than the run that it repeats, so whether somebody was asked at a step
//    leaves no trace: not in a register, and not on the stack, of which the collector scans dead words, too.
//    (morestack keeps registers there, and a prologue may push any for the sake of alignment.) A request
//    comes at the same place in both, but its answer may leave other things in registers: they are cleared.
//  - rbp links the two stacks, so that debuggers and tracebacks find the way back.

    .section .note.GNU-split-stack,"",@progbits
    .section .note.GNU-stack,"",@progbits

#if GORT_EXPLORE
    .text
    .globl gort_explore_call
    .type gort_explore_call, @function
    .p2align 4
// void gort_explore_call(Request*)
gort_explore_call:
    pushq %rbp
    movq %rsp, %rbp
    movq gort_explore_stack@gottpoff(%rip), %rax
    movq %fs:(%rax), %rax
    testq %rax, %rax
    je 1f
    movq %rax, %rsp
    call *gort_explorer(%rip)
    movq %rbp, %rsp
    .irp reg, eax, ecx, edx, esi, edi, r8d, r9d, r10d, r11d
    xorl %\reg, %\reg
    .endr
    .irp i, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    pxor %xmm\i, %xmm\i
    .endr
1:  popq %rbp
    ret
    .size gort_explore_call, . - gort_explore_call

// Whether the caller of a function that has pushed nothing is one of the sites that the explorer waits for
// (SiteHash). Equal if so; eax is 0 in any case.
    .macro arrives site
    movl (%rsp), %eax
    imull gort_explore_sitefactor(%rip), %eax
    shrl $16, %eax
    andl gort_explore_sitemask(%rip), %eax
    cmpl \site(%rip), %eax
    movl $0, %eax
    .endm

// void gort_explore_step(Kind, const volatile void*)
    .globl gort_explore_step
    .type gort_explore_step, @function
    .p2align 4
gort_explore_step:
    movq $0x4000, gort_explore_fuel(%rip)
    decq gort_explore_budget(%rip)
    je 2f
    arrives gort_explore_site
    je 1f
    ret
1:  movb $1, gort_explore_arrived(%rip)
2:  movq $0, %fs:keptrax@tpoff
    movq %rsi, %fs:address@tpoff
    movzbl %dil, %eax
    movq %rax, %fs:kind@tpoff
    jmp spent
    .size gort_explore_step, . - gort_explore_step

// void gort_explore_lock(Kind, const void*)
    .globl gort_explore_lock
    .type gort_explore_lock, @function
    .p2align 4
gort_explore_lock:
    cmpb $0, gort_explore_locks(%rip)
    movl $0, %eax
    jne 1f
    ret
1:  movq $0, %fs:keptrax@tpoff
    movq %rsi, %fs:address@tpoff
    movzbl %dil, %eax
    movq %rax, %fs:kind@tpoff
    jmp spent
    .size gort_explore_lock, . - gort_explore_lock

// The explorer is to be asked at this step; what it is stands in the thread's variables. All registers are
// left as they were, rax as keptrax says.
    .type spent, @function
    .p2align 4
spent:
    movq %fs:gort_explore_stack@tpoff, %rax
    testq %rax, %rax
    je 1f
    xchgq %rax, %rsp
    pushq %rax
    pushq -8(%rax)
    pushq %fs:keptrax@tpoff
    pushq %rcx
    pushq %rdx
    pushq %rsi
    pushq %rdi
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    // A frame on the stack that is left, for who looks at it.
    movq %rbp, -8(%rax)
    leaq -8(%rax), %rbp
    // A Request: kind, addr, a, b, result. With it there are sixteen words. a is where it is made, a step's site.
    pushq $0
    pushq $0
    pushq (%rax)
    pushq %fs:address@tpoff
    pushq %fs:kind@tpoff
    movq %rsp, %rdi
    subq $256, %rsp
    .irp i, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    movaps %xmm\i, 16*\i(%rsp)
    .endr
    call *gort_explorer(%rip)
    .irp i, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    movaps 16*\i(%rsp), %xmm\i
    .endr
    addq $256+40, %rsp
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rdi
    popq %rsi
    popq %rdx
    popq %rcx
    movq (%rbp), %rbp
    popq %fs:keptrax@tpoff
    popq %rax
    popq %rsp
    movq %rax, -8(%rsp)
    cmpl $0, gort_explore_kill+8(%rip)
    jne 2f
    movq %fs:keptrax@tpoff, %rax
    ret
    // A signal is to come to the caller, where this returns to. It comes after the system call; the handler
    // finds the registers in gort_explore_kept (explore_signal.h), and so does this if none comes.
2:  movq %rcx, %fs:gort_explore_kept@tpoff
    movq %rdx, %fs:gort_explore_kept@tpoff+8
    movq %rsi, %fs:gort_explore_kept@tpoff+16
    movq %rdi, %fs:gort_explore_kept@tpoff+24
    movq %r11, %fs:gort_explore_kept@tpoff+32
    movq %fs:keptrax@tpoff, %rax
    movq %rax, %fs:gort_explore_kept@tpoff+40
    movl gort_explore_kill(%rip), %edi
    movl gort_explore_kill+4(%rip), %esi
    movl gort_explore_kill+8(%rip), %edx
    movl $0, gort_explore_kill+8(%rip)
    movl $234, %eax  // tgkill
    syscall
    .globl gort_explore_killed
gort_explore_killed:
    movq %fs:gort_explore_kept@tpoff, %rcx
    movq %fs:gort_explore_kept@tpoff+8, %rdx
    movq %fs:gort_explore_kept@tpoff+16, %rsi
    movq %fs:gort_explore_kept@tpoff+24, %rdi
    movq %fs:gort_explore_kept@tpoff+32, %r11
    movq %fs:gort_explore_kept@tpoff+40, %rax
    ret
    // Nobody explores, or this is a thread that the explorer does not know.
1:  movl $-1, gort_explore_budget(%rip)
    movl $0x7fffffff, gort_explore_budget+4(%rip)
    movq %fs:keptrax@tpoff, %rax
    ret
    .size spent, . - spent

    .section .tbss,"awT",@nobits
    .p2align 3
keptrax:
    .zero 8
address:
    .zero 8
kind:
    .zero 8
    .text

// void NAME(const void* addr): what the compiler calls before an ordinary load or store. Variables of the
// calling function, or of one that called it, are nobody else's.
    .macro access name, is
    .globl \name
    .type \name, @function
    .p2align 4
\name:
    movq %rdi, %rax
    subq %rsp, %rax
    cmpq $512, %rax
    jb 1f
    // The budget is never 0 unless somebody is about to decide: a step of 0 does not end it.
    movq gort_explore_memory(%rip), %rax
    decq gort_explore_fuel(%rip)
    je 3f
    subq %rax, gort_explore_budget(%rip)
    je 3f
    arrives gort_explore_memorysite
    je 2f
1:  ret
2:  movb $1, gort_explore_arrived(%rip)
3:  movq $0, %fs:keptrax@tpoff
    movq %rdi, %fs:address@tpoff
    movq $\is, %fs:kind@tpoff
    jmp spent
    .size \name, . - \name
    .endm

    .irp size, 1, 2, 4, 8, 16
    access __sanitizer_cov_load\size, 5
    access __sanitizer_cov_store\size, 6
    .endr
#endif
