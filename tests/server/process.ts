/* What a running process has, and how much of it it may have. */
import { readdirSync, readFileSync } from "node:fs";
import { here, type Running } from "../harness/index.ts";

/* Nothing for a thread that has ended since it was listed. */
function nameOfThread(task: string): string {
  try {
    return readFileSync(`${task}/comm`, "utf8");
  } catch {
    return "";
  }
}

/** The ids of those threads of a process that serve. */
export function servingThreads(pid: number): string[] {
  return readdirSync(`/proc/${pid}/task`).filter((id) =>
    /^xsocket \d/.test(nameOfThread(`/proc/${pid}/task/${id}`)),
  );
}

/** The lowest number that no descriptor of a process has. */
export function firstFree(pid: number): number {
  const used = new Set(readdirSync(`/proc/${pid}/fd`).map(Number));
  let free = 0;
  while (used.has(free)) free++;
  return free;
}

/** Lets a process have no descriptor of this number or above. */
export async function limitDescriptors(pid: number, soft: number): Promise<void> {
  const { code, stderr } = await here.run(["prlimit", "--pid", String(pid), `--nofile=${soft}:`]);
  if (code !== 0) throw new Error(stderr);
}

/** Has strace(1) follow a thread, or with -f a whole process, until it is disposed of. */
export async function traced(id: number | string, ...options: string[]): Promise<Running> {
  const strace = here.spawn(["strace", ...options, "-p", String(id)]);
  await strace.says(/attached/);
  return strace;
}

/** Resident memory of a process in MB: all of it, or what is not of a file. */
export function residentMb(pid: number, which: "VmRSS" | "RssAnon" = "VmRSS"): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(new RegExp(`^${which}:\\s+(\\d+)`, "m").exec(status)?.[1]) / 1024;
}
