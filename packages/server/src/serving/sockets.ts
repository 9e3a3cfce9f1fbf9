import { AF_INET, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_TYPE_MASK } from "@xsocket/protocol";
import { errno, type Syscalls } from "@xsocket/xbind-native";
import { SOCK_PACKET } from "../policy/names.ts";

const KEPT_MS = 1000; // a module may be loaded meanwhile
const KEPT_MAX = 64;

const TYPE_BITS = SOCK_TYPE_MASK | SOCK_NONBLOCK | SOCK_CLOEXEC;
const MISSING = new Set([errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT, errno.ESOCKTNOSUPPORT]);

/**
 * Makes sockets. For a kind that the kernel does not have, such as TCP over datagrams, each call starts
 * modprobe(8) anew. That takes the thread some milliseconds, and any client can ask for it, so the failure is
 * remembered for a moment.
 */
export class Sockets {
  readonly #sys: Syscalls;
  readonly #missing = new Map<string, number>(); // by family alone, or by family, type and protocol
  #keptUntil = 0;

  constructor(sys: Syscalls) {
    this.#sys = sys;
  }

  /** Returns a socket that is closed on exec, or -errno. */
  make(domain: number, type: number, protocol: number): number {
    const base = type & SOCK_TYPE_MASK;
    // no kernel has these, and says so before it looks for a module
    if ((type & ~TYPE_BITS) !== 0 || base > SOCK_PACKET)
      return this.#sys.socket(domain, type | SOCK_CLOEXEC, protocol);
    const known = this.#known(domain, base, protocol);
    if (known !== undefined) return known;
    const made = this.#sys.socket(domain, type | SOCK_CLOEXEC, protocol);
    // with SOCK_PACKET it is AF_PACKET that is missing
    if (made === -errno.EAFNOSUPPORT && domain !== AF_INET) this.#keep(`${domain}`, made);
    else if (MISSING.has(-made)) this.#keep(`${domain} ${base} ${protocol}`, made);
    return made;
  }

  #known(domain: number, base: number, protocol: number): number | undefined {
    if (this.#missing.size === 0) return undefined;
    if (this.#sys.monotonic() >= this.#keptUntil) this.#missing.clear();
    return this.#missing.get(`${domain}`) ?? this.#missing.get(`${domain} ${base} ${protocol}`);
  }

  #keep(key: string, answer: number): void {
    if (this.#missing.size === 0) this.#keptUntil = this.#sys.monotonic() + KEPT_MS;
    if (this.#missing.size < KEPT_MAX) this.#missing.set(key, answer);
  }
}
