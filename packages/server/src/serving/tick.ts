import { errno, errnoName, type Syscalls } from "@xsocket/xbind-native";
import { THREAD } from "../memory/memory.ts";
import type { Shared } from "../memory/shared.ts";
import type { Voice } from "./voice.ts";

const TICK_MS = 5; // so long can one packet hold up a thread, if a signal ends the wait

/**
 * Interrupts its thread at intervals while that is at work. A client may attach a descriptor whose close
 * blocks, and the kernel closes it when the packet is read; a signal ends the wait.
 */
export class Tick {
  readonly #sys: Syscalls;
  readonly #timer: number;
  #isOn = false;

  /** To be made in its own thread. The timer is in the thread's row, so that whoever reclaims that finds it. */
  constructor(sys: Syscalls, shared: Shared, index: number, say: Voice) {
    this.#sys = sys;
    this.#timer = sys.tickCreate();
    shared.setThread(index, THREAD.tick, this.#timer);
    if (this.#timer >= 0) return;
    const reason = errnoName(-this.#timer);
    const message = `serving thread ${index} gets no timer (${reason}), so that a client may hold up others by what it attaches: let it have timer_create(2), signal SIGRTMAX-3, and one pending signal for each thread (ulimit -i, LimitSIGPENDING=)`;
    say("warning", "timer", message, { thread: index });
  }

  /** Notes how a wait of the thread ended: with work for it, or interrupted, so that there is none. */
  waited(count: number): void {
    if (count > 0) this.#set(true);
    else if (count === -errno.EINTR) this.#set(false);
  }

  #set(isOn: boolean): void {
    if (isOn === this.#isOn || this.#timer < 0) return;
    this.#sys.tickSet(this.#timer, isOn ? TICK_MS : 0);
    this.#isOn = isOn;
  }
}
