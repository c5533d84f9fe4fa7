# Makes the events of a long run: awk -v events=100000 -f many.awk. Six threads take turns, with
# locks, points, atomic operations, waits and wake-ups; near the end two critical switches and a ring.
function roll(n) {  # the same numbers with every awk
  state = state * 16807 % 2147483647
  return int(state / 64) % n
}
BEGIN {
  state = 7
  threads = 6
  print "{\"gort_events\":1,\"program\":\"scenario\",\"args\":[\"--many\",\"a b\"],\"build\":\"ab12\",\"seed\":\"7\",\"strategy\":\"random\",\"procs\":4}"
  for (t = 0; t < threads; t++)
    printf "{\"e\":\"thread\",\"step\":0,\"t\":%d,\"name\":\"%s\"}\n", t, t == 1 ? "sysmon" : "M" t
  split("sched.lock mheap.lock allglock stackpool[2] timers", locks, " ")
  split("schedule_begin gopark_before_mcall park_m_before_unlockf findRunnable_stolen retake_before_cas", points, " ")
  turn = 0
  printf "{\"e\":\"run\",\"step\":1,\"now\":0,\"t\":0,\"why\":\"start\"}\n"
  step = 1
  made = threads + 1
  while (made < events - 12) {
    step += 1 + (roll(50) == 0 ? roll(300) : roll(3))
    what = roll(20)
    if (what < 2 && !holder) {
      turn = (turn + 1 + roll(threads - 1)) % threads
      printf "{\"e\":\"run\",\"step\":%d,\"now\":%d,\"t\":%d,\"why\":\"%s\"}\n", step, step * 50, turn, roll(3) ? "preempt" : "yield"
    } else if (what < 4) {
      if (holder) {
        printf "{\"e\":\"unlock\",\"step\":%d,\"t\":%d,\"lock\":\"%s\"}\n", step, turn, holder
        holder = ""
      } else {
        holder = locks[1 + roll(5)]
        printf "{\"e\":\"lock\",\"step\":%d,\"t\":%d,\"lock\":\"%s\"}\n", step, turn, holder
      }
    } else if (what < 6) {
      printf "{\"e\":\"g\",\"step\":%d,\"t\":%d,\"goid\":%d}\n", step, turn, roll(14)
    } else if (what < 7) {
      printf "{\"e\":\"wake\",\"step\":%d,\"t\":%d,\"who\":%d}\n", step, turn, (turn + 1) % threads
    } else if (what < 12) {
      printf "{\"e\":\"point\",\"step\":%d,\"t\":%d,\"name\":\"%s\"}\n", step, turn, points[1 + roll(5)]
    } else {
      printf "{\"e\":\"op\",\"step\":%d,\"t\":%d,\"op\":\"cas\",\"what\":\"p%d.status\",\"fn\":\"runtime.pidleput\"}\n", step, turn, roll(4)
    }
    made++
  }
  if (holder) printf "{\"e\":\"unlock\",\"step\":%d,\"t\":%d,\"lock\":\"%s\"}\n", ++step, turn, holder
  printf "{\"e\":\"run\",\"step\":%d,\"now\":%d,\"t\":3,\"why\":\"preempt\"}\n", ++step, step * 50
  printf "{\"e\":\"lock\",\"step\":%d,\"t\":3,\"lock\":\"sched.lock\"}\n", ++step
  printf "{\"e\":\"switch\",\"step\":%d,\"from\":3,\"to\":4,\"kind\":\"preempt\",\"critical\":true,\"stack_from\":[\"runtime.lock2 lock_futex.cc:70\"],\"stack_to\":[\"runtime.mallocgc malloc.cc:90\"]}\n", ++step
  printf "{\"e\":\"run\",\"step\":%d,\"now\":%d,\"t\":4,\"why\":\"preempt\"}\n", step, step * 50
  printf "{\"e\":\"lock\",\"step\":%d,\"t\":4,\"lock\":\"mheap.lock\"}\n", ++step
  printf "{\"e\":\"wait\",\"step\":%d,\"t\":4,\"what\":\"lock sched.lock\"}\n", ++step
  printf "{\"e\":\"switch\",\"step\":%d,\"from\":4,\"to\":3,\"kind\":\"block\",\"critical\":true,\"stack_from\":[\"runtime.lock2 lock_futex.cc:74\"],\"stack_to\":[\"runtime.lock2 lock_futex.cc:70\"]}\n", ++step
  printf "{\"e\":\"run\",\"step\":%d,\"now\":%d,\"t\":3,\"why\":\"block\"}\n", step, step * 50
  printf "{\"e\":\"wait\",\"step\":%d,\"t\":3,\"what\":\"lock mheap.lock\"}\n", ++step
  printf "{\"e\":\"end\",\"step\":%d,\"now\":%d,\"outcome\":\"deadlock\",\"detail\":\"a ring of two locks\"}\n", step, step * 50
}
