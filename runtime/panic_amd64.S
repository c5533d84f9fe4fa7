// The frames that panics come back to.
//
// Invariants:
//  - gort_callframe returns once for each call: 0 when fn returned, 1 when gort_recoverframe cut fn
//    short. Its caller therefore needs no special treatment by the compiler: from outside it is a
//    function that keeps the callee-saved registers.
//  - Everything that a recovery needs is on the goroutine's stack at deferframe.sp, so that it moves
//    and is adjusted with the stack; deferframe.sp is itself a word of the stack.
//  - Both functions that call keep a frame pointer, for tracebacks and for recover (panic.cc). They
//    have no stack check: 72 and 32 bytes, inside what the guard leaves.

    .section .note.GNU-split-stack,"",@progbits
    .section .note.GNU-stack,"",@progbits

    .text

#define FUNC(name) .globl name; .type name, @function; .p2align 4; name: .cfi_startproc
#define ENDFUNC(name) .cfi_endproc; .size name, . - name

.macro FRAME
    pushq %rbp
    .cfi_def_cfa_offset 16
    .cfi_offset %rbp, -16
    movq %rsp, %rbp
    .cfi_def_cfa_register %rbp
.endm

// int gort_callframe(void (*fn)(void*), void* arg, deferframe* frame)
FUNC(gort_callframe)
    FRAME
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    subq $8, %rsp
    movq %rsp, (%rdx)
    movq %rdi, %rax
    movq %rsi, %rdi
    call *%rax
    xorl %eax, %eax
callframe_return:
    addq $8, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    .cfi_def_cfa %rsp, 8
    ret
ENDFUNC(gort_callframe)

// [[noreturn]] void gort_recoverframe(deferframe* frame): all frames below frame.sp are forgotten.
FUNC(gort_recoverframe)
    movq (%rdi), %rsp
    leaq 48(%rsp), %rbp
    movl $1, %eax
    jmp callframe_return
ENDFUNC(gort_recoverframe)

// void gort_calldefer(void (*fn)(void*), void* arg, uintptr* argp): fn(arg), with *argp the address
// just above fn's return address, by which recover knows the deferred function's own frame.
FUNC(gort_calldefer)
    FRAME
    movq %rsp, (%rdx)
    movq %rdi, %rax
    movq %rsi, %rdi
    call *%rax
    popq %rbp
    .cfi_def_cfa %rsp, 8
    ret
ENDFUNC(gort_calldefer)
