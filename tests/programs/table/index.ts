import type { Program } from "../program.ts";
import { compiled } from "./compiled.ts";
import { daemons } from "./daemons.ts";
import { data } from "./data.ts";
import { files } from "./files.ts";
import { games } from "./games.ts";
import { javascript } from "./javascript.ts";
import { launchers } from "./launchers.ts";
import { messages } from "./messages.ts";
import { names } from "./names.ts";
import { native } from "./native.ts";
import { network } from "./network.ts";
import { python } from "./python.ts";
import { relays } from "./relays.ts";
import { rivals } from "./rivals.ts";
import { runtimes } from "./runtimes.ts";
import { scripting } from "./scripting.ts";
import { tls } from "./tls.ts";
import { tools } from "./tools.ts";
import { web } from "./web.ts";

/** The whole matrix, by the headings of the report. */
export const table: Readonly<Record<string, readonly Program[]>> = {
  "Web servers and proxies": web,
  "TLS, HTTP/2 and QUIC": tls,
  "Databases, caches and queues": data,
  "Name servers": names,
  JavaScript: javascript,
  Python: python,
  "Other interpreted languages": scripting,
  "Languages with their own runtime": runtimes,
  "Compiled languages": compiled,
  "Files and BitTorrent": files,
  "Mail, chat, voice and streams": messages,
  Games: games,
  Relays: relays,
  "Clocks, tunnels and resolvers": network,
  "Servers whose packages exclude each other": rivals,
  "Other daemons": daemons,
  Tools: tools,
  "Launchers, debuggers and sandboxes": launchers,
  "Special cases": native,
};

/** All programs, in the order of the report. */
export const programs: readonly Program[] = Object.values(table).flat();
