#!/bin/bash
# verify_test.sh TOOL ARGUMENT...: without its fix the bug fails the way history says, with it it
# holds.
exec "$1" verify "${@:2}"
