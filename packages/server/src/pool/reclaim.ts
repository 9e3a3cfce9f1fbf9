import type { Syscalls } from "@xsocket/xbind-native";
import { UNREAD } from "../memory/flight.ts";
import { FIELD, STATE, THREAD } from "../memory/memory.ts";
import type { Shared } from "../memory/shared.ts";

/**
 * Closes everything that a dead thread held. It waits for the lock without blocking, since the lock's holder
 * may have died too, and this thread learns that from its event loop.
 *
 * @returns the number of its connections
 */
export function reclaim(sys: Syscalls, shared: Shared, index: number): Promise<number> {
  shared.setThread(index, THREAD.serves, 0);
  shared.lock.releaseFor(index);
  return shared.lock.during(() => closeAll(sys, shared, index));
}

function closeAll(sys: Syscalls, shared: Shared, index: number): number {
  let count = 0;
  shared.setThread(index, THREAD.inbox, -1); // what it held is found below
  for (let fd = 0; fd < shared.used; fd++) {
    if (shared.get(fd, FIELD.state) === STATE.free || shared.get(fd, FIELD.owner) !== index)
      continue;
    shared.flight.setUnread(fd, UNREAD.none);
    shared.removeConnection(fd);
    sys.close(fd);
    count++;
  }
  for (const column of [THREAD.epoll, THREAD.spare, THREAD.scratch])
    shared.closeDescriptor(sys, index, column);
  const timer = shared.thread(index, THREAD.tick);
  if (timer >= 0) sys.tickDelete(timer);
  shared.setThread(index, THREAD.tick, -1);
  shared.setThread(index, THREAD.load, 0);
  return count;
}
