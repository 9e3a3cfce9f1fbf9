import { readFileSync } from "node:fs";
import { domainToASCII } from "node:url";
import { shown, SyscallError, tried } from "@xsocket/xbind-native";
import { type IpAddress, parseIp } from "./_address.ts";
import { Deadline } from "./_deadline.ts";
import { misuse, wrongValue } from "./_options.ts";
import type { Naming, Through } from "./_through.ts";
import { within } from "./_wait.ts";
import { DnsFailure, queryAddresses } from "./_dns.ts";
import { XSocketError, type XSocketFailure } from "./error.ts";
import { type Session, sessionFor } from "./session.ts";

/** Who asks, through which server, and for how long. */
interface ResolveRequest extends Naming {
  readonly session: Session;
  readonly deadline: Deadline;
  /** For the error's sentence, for example "connect to web:80". */
  readonly asked: string;
}

/** The part of resolv.conf(5) that matters here. */
interface ResolvConf {
  readonly nameservers: readonly string[];
  readonly search: readonly string[];
  /** A name with fewer dots is first tried within the search list. */
  readonly ndots: number;
}

/* The longest name and the longest part of one in DNS. */
const NAME_CHARS = 253;
const LABEL_CHARS = 63;
/* How long to wait for a name's IPv6 addresses once it is known to have IPv4 ones, or not to exist: so many times so many
   milliseconds. In parts, since a program that was busy for all that time has not read yet what came meanwhile. */
const IPV6_LATER = { times: 5, ms: 100 };
/* The most dots that resolv.conf(5) can ask for. */
const NDOTS_MAX = 15;

function wordsOf(text: string): string[][] {
  return text
    .split("\n")
    .map((line) =>
      line
        .replace(/[#;].*/, "")
        .trim()
        .split(/\s+/),
    )
    .filter(([first]) => first);
}

/** Reads /etc/hosts' format: the addresses of a name, in the order of the file. */
export function hostsAddresses(text: string, hostname: string): string[] {
  const name = hostname.toLowerCase();
  return wordsOf(text).flatMap(([address = "", ...names]) =>
    parseIp(address) && names.some((known) => known.toLowerCase() === name) ? [address] : [],
  );
}

/** Reads resolv.conf(5): a file without a name server means the machine itself. */
export function parseResolvConf(text: string): ResolvConf {
  const words = wordsOf(text);
  const nameservers = words.flatMap(([key, value = ""]) =>
    key === "nameserver" && parseIp(value) ? [value] : [],
  );
  const search = words.findLast(([key]) => key === "search" || key === "domain")?.slice(1) ?? [];
  const options = words.flatMap(([key, ...rest]) => (key === "options" ? rest : []));
  const ndots = options.findLast((option) => /^ndots:\d+$/.test(option))?.slice("ndots:".length);
  return {
    nameservers: nameservers.length > 0 ? nameservers : ["127.0.0.1"],
    search,
    ndots: Math.min(Number(ndots ?? 1), NDOTS_MAX),
  };
}

/** The full names to ask for, in order: a name with few dots is first tried within the search list. */
export function candidates(
  hostname: string,
  { search, ndots }: Pick<ResolvConf, "search" | "ndots">,
): string[] {
  if (hostname.endsWith(".")) return [hostname.slice(0, -1)];
  const expanded = search.map((domain) => `${hostname}.${domain.replace(/\.$/, "")}`);
  const dots = hostname.split(".").length - 1;
  return dots >= ndots ? [hostname, ...expanded] : [...expanded, hostname];
}

/* What a DNS message can hold: other names do not exist, and nobody needs to be asked for them. */
function isAskable(name: string): boolean {
  const labels = name.split(".");
  return name.length <= NAME_CHARS && labels.every(({ length: n }) => n > 0 && n <= LABEL_CHARS);
}

/* The ASCII form of a host name; "" for what is none. domainToASCII would take the host out of a piece of a URL, and so
   find "10.0.0.1" in "10.0.0.1/.trusted.test". */
function asciiOf(hostname: string): string {
  return /[\s%/?#\\]/.test(hostname) ? "" : domainToASCII(hostname);
}

/** Reads a host name that is an IP address, in any form of inet_aton(3), for example `127.1`. */
export function literalIp(hostname: string): IpAddress | undefined {
  return parseIp(hostname) ?? parseIp(asciiOf(hostname));
}

/* Whether a host name is a URL, or has a port behind it. */
function isMoreThanName(hostname: string): boolean {
  return /:\/\/|^[^:]*:\d+$|\]:\d+$/.test(hostname);
}

/* RFC 6761: localhost never reaches a name server. */
function loopback(hostname: string): string[] {
  return /(^|\.)localhost\.?$/i.test(hostname) ? ["127.0.0.1", "::1"] : [];
}

/** The addresses that need no name server. Many a /etc/hosts has localhost for IPv4 only. */
export function localAddresses(hosts: string, hostname: string): string[] {
  return [...new Set([...hostsAddresses(hosts, hostname), ...loopback(asciiOf(hostname))])];
}

/** Reads /etc/hosts and the like, which a minimal root directory lacks. */
export function textOf(path: string): string {
  return tried(() => readFileSync(path, "utf8")) ?? "";
}

/*
 * Asks for IPv4 and IPv6 addresses. Some servers never answer the question for IPv6, which must not use up
 * the time that is needed to connect to the IPv4 address.
 */
async function bothKinds(
  dns: ResolveRequest & { readonly nameservers: readonly string[] },
  name: string,
): Promise<PromiseSettledResult<string[] | undefined>[]> {
  const { signal, timeoutMs } = dns.deadline.limits();
  const enough = new AbortController();
  const signals = [enough.signal, ...(signal ? [signal] : [])];
  const deadline = new Deadline({ signal: AbortSignal.any(signals), timeoutMs });
  let timer: NodeJS.Timeout | undefined;
  const wait = (times: number): void => {
    const next = (): void => (times > 1 ? wait(times - 1) : enough.abort());
    timer = setTimeout(next, IPV6_LATER.ms);
  };
  const four = queryAddresses(dns, name, "A").then((found) => {
    if (found?.length !== 0) wait(IPV6_LATER.times);
    return found;
  });
  const six = queryAddresses({ ...dns, deadline }, name, "AAAA").catch((error: unknown) => {
    if (enough.signal.aborted) return undefined;
    throw error;
  });
  const settled = await Promise.allSettled([four, six]);
  clearTimeout(timer);
  return settled;
}

async function askNameservers(request: ResolveRequest, hostname: string): Promise<string[]> {
  const conf = parseResolvConf(textOf("/etc/resolv.conf"));
  const dns = { ...request, nameservers: request.nameservers ?? conf.nameservers };
  let failure: unknown;
  for (const name of candidates(hostname, conf).filter(isAskable)) {
    const settled = await bothKinds(dns, name);
    const found = settled.flatMap((one) => (one.status === "fulfilled" ? (one.value ?? []) : []));
    if (found.length > 0) return found;
    const failed = settled.find((one) => one.status === "rejected");
    if (failed && !(failed.reason instanceof DnsFailure)) throw failed.reason;
    failure ??= failed?.reason; // the next candidate may still be known
  }
  if (failure !== undefined) throw failure;
  return [];
}

/* Calls the user's `lookup`, whose result may be of any type in JavaScript, or never come. */
async function askLookup(
  request: ResolveRequest,
  lookup: NonNullable<Naming["lookup"]>,
  hostname: string,
): Promise<readonly string[]> {
  if (typeof lookup !== "function")
    throw wrongValue(request.asked, "lookup", lookup, "Give a function.");
  const found: unknown = await within(lookup(hostname), request.deadline);
  if (Array.isArray(found) && found.every(isAddress)) return found;
  const remedy = "Return a list of IP addresses, as text.";
  throw misuse(request.asked, `lookup has returned ${shown(found)}`, remedy);
}

function isAddress(value: unknown): boolean {
  return typeof value === "string" && parseIp(value) !== undefined;
}

/** Checks `nameservers`. @throws {XSocketError} EINVAL for what is no list of IP addresses */
function checkNameservers({ nameservers: given, asked }: ResolveRequest): void {
  const list: unknown = given ?? undefined;
  if (list === undefined) return;
  if (Array.isArray(list) && list.length > 0 && list.every(isAddress)) return;
  throw wrongValue(asked, "nameservers", list, "Give a list of their IP addresses.");
}

async function lookUp(request: ResolveRequest, hostname: string): Promise<readonly string[]> {
  if (request.lookup) return askLookup(request, request.lookup, hostname);
  const local = localAddresses(textOf("/etc/hosts"), hostname);
  return local.length > 0 ? local : askNameservers(request, asciiOf(hostname));
}

function resolveError(
  { session, asked }: ResolveRequest,
  failure: Pick<XSocketFailure, "code" | "found" | "remedy" | "cause">,
): XSocketError {
  return new XSocketError({ ...failure, step: "resolve", server: session.via, asked });
}

/* Says what failed, since the remedy differs: the user's `lookup`, or the name servers. */
function whyNot(
  request: ResolveRequest,
  hostname: string,
): Pick<XSocketFailure, "found" | "remedy"> {
  if (!request.lookup) return { found: `no name server could be asked for ${hostname}` };
  const remedy = "Find out what it waits for, or give a larger timeoutMs.";
  return { found: "lookup did not answer in time", remedy };
}

/**
 * Finds the addresses of a host in the target namespace: an IP address is taken as it is, then
 * `lookup` if there is one, else /etc/hosts, then the name servers, IPv4 first.
 *
 * @throws {XSocketError} ENOTFOUND, ETIMEDOUT, ESERVFAIL; the signal's reason
 */
export async function resolve(
  hostname: string,
  through: Through,
  deadline: Deadline,
  asked: string,
): Promise<IpAddress[]> {
  const literal = literalIp(hostname);
  if (literal) return [literal];
  const request = { ...through, session: sessionFor(through.via), deadline, asked };
  checkNameservers(request);
  try {
    const addresses = await lookUp(request, hostname);
    const found = addresses.flatMap((address) => parseIp(address) ?? []);
    if (found.length > 0) return found;
  } catch (error) {
    if (error instanceof SyscallError)
      throw resolveError(request, { ...whyNot(request, hostname), code: error.code, cause: error });
    if (error instanceof DnsFailure)
      throw resolveError(request, { code: `E${error.rcode}`, found: error.message, cause: error });
    throw error;
  }
  const found = `${hostname} has no address in the target namespace`;
  const remedy = isMoreThanName(hostname)
    ? "Give the host alone: no URL, and its port as port."
    : undefined;
  throw resolveError(request, { code: "ENOTFOUND", found, remedy });
}
