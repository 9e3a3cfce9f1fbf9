import type { Syscalls } from "@xsocket/xbind-native";
import type { Bounds } from "../bounds.ts";
import type { LogLevel, LogRecord } from "../log.ts";
import type { Memory } from "../memory/memory.ts";
import type { Shared } from "../memory/shared.ts";
import type { About } from "../status.ts";
import type { Judge, PolicyInForce } from "./judge.ts";
import type { Voice } from "./voice.ts";

/** What a serving thread is started with. */
export interface ThreadOptions {
  readonly index: number;
  readonly listenFd: number;
  /** Whether no other process has the listening socket. */
  readonly ownsListener: boolean;
  readonly memory: Memory;
  readonly bounds: Bounds;
  readonly policy: PolicyInForce;
  /** How many orders were sent before it was started. */
  readonly orders: number;
  readonly logLevel: LogLevel;
  readonly about: About;
  /** The descriptor of the audit file, -1 for none. */
  readonly auditFd: number;
  /** The server's own ids, whose sockets need no stamp. */
  readonly uid: number;
  readonly gid: number;
}

/** What the main thread tells a serving thread. */
export type Order =
  | { readonly kind: "policy"; readonly policy: PolicyInForce }
  | { readonly kind: "stop" };

/** What a serving thread tells the main thread. */
export type Report =
  | { readonly kind: "ready" }
  /** One more thread would have work. */
  | { readonly kind: "crowded" }
  | { readonly kind: "log"; readonly record: LogRecord };

/** What everything in a serving thread works with. */
export interface Context {
  readonly options: ThreadOptions;
  readonly sys: Syscalls;
  readonly shared: Shared;
  readonly epollFd: number;
  readonly judge: Judge;
  readonly say: Voice;
}
