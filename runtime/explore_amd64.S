// The way to the explorer and back. See explore.h.
//
// Invariants:
//  - Nothing but rsp changes: not g, not the stack limit, not g.sched. Host code has no stack check,
//    so the limit of the stack that was left does not matter there.
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
1:  popq %rbp
    ret
    .size gort_explore_call, . - gort_explore_call
#endif
