/* Threads, descriptors and memory of a running process. */
import { readdirSync, readFileSync } from "node:fs";
import { here, type Running } from "../harness/index.ts";

/* Empty for a thread that has ended since it was listed. */
function nameOfThread(task: string): string {
  try {
    return readFileSync(`${task}/comm`, "utf8");
  } catch {
    return "";
  }
}

/** The names of the threads of a process, at most 15 characters each. */
export function threadNames(pid: number): string[] {
  return readdirSync(`/proc/${pid}/task`).map((id) => nameOfThread(`/proc/${pid}/task/${id}`));
}

/** The ids of the serving threads of a process. */
export function servingThreads(pid: number): string[] {
  return readdirSync(`/proc/${pid}/task`).filter((id) =>
    /^xsocket \d/.test(nameOfThread(`/proc/${pid}/task/${id}`)),
  );
}

/** The lowest free descriptor number of a process. */
export function firstFree(pid: number): number {
  const used = new Set(readdirSync(`/proc/${pid}/fd`).map(Number));
  let free = 0;
  while (used.has(free)) free++;
  return free;
}

/** Sets the soft limit of open files of a process. */
export async function limitDescriptors(pid: number, soft: number): Promise<void> {
  const { code, stderr } = await here.run(["prlimit", "--pid", String(pid), `--nofile=${soft}:`]);
  if (code !== 0) throw new Error(stderr);
}

/** Traces a thread, or with -f a process, by strace(1) until disposed of. */
export async function traced(id: number | string, ...options: string[]): Promise<Running> {
  const strace = here.spawn(["strace", ...options, "-p", String(id)]);
  await strace.says(/attached/);
  return strace;
}

/** Resident memory of a process in MB: all of it, or only anonymous pages. */
export function residentMb(pid: number, which: "VmRSS" | "RssAnon" = "VmRSS"): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(new RegExp(`^${which}:\\s+(\\d+)`, "m").exec(status)?.[1]) / 1024;
}
