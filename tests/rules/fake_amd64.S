// Stack checks that always succeed: the tests run on thread stacks, whose limit in %fs:112 is 0.
// The prologue is resumed at the return address + 1.

        .text
        .globl  __morestack_non_split
        .type   __morestack_non_split, @function
__morestack_non_split:
        incq    (%rsp)
        ret
        .size   __morestack_non_split, . - __morestack_non_split

        .globl  __morestack
        .type   __morestack, @function
__morestack:
        ud2
        .size   __morestack, . - __morestack

        .section .rodata
        .globl  fakeAsmTsan
        .type   fakeAsmTsan, @object
        .balign 4
fakeAsmTsan:
#ifdef GORT_TSAN
        .long   1
#else
        .long   0
#endif
        .size   fakeAsmTsan, 4

        .section .note.GNU-stack, "", @progbits
