#!/bin/bash
# verify_test.sh TOOL BUG MODE: without its fix the bug fails the way history says, with it it
# holds.
exec "$1" verify "$2" --mode "$3" --runs 8 -v
