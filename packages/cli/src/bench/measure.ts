/** How often something was done in a second, and how long one time took, in microseconds. */
export interface Measurement {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
}

const SAMPLES_MAX = 1 << 20; // 8 MiB of numbers
const WARM_UP_MS = 100;
/* The time between two reports of progress. */
const STEP_MS = 50;

/** Something that can be measured. Each call does it `batch` times. */
export interface Subject {
  readonly run: () => void;
  readonly batch: number;
}

/** The value below which a share of the sorted numbers lies. */
export function percentile(sorted: Float64Array, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

function summarise(samples: Float64Array, elapsedMs: number, batch: number): Measurement {
  const sorted = samples.toSorted();
  const microseconds = (share: number) => (percentile(sorted, share) * 1000) / batch;
  return {
    perSecond: (samples.length * batch * 1000) / elapsedMs,
    p50: microseconds(0.5),
    p99: microseconds(0.99),
  };
}

function warmUp({ run }: Subject): void {
  for (const end = performance.now() + WARM_UP_MS; performance.now() < end;) run();
}

/**
 * Does something over and over for a time.
 *
 * @param progress is told the share that is done, from 0 to 1
 * @throws what the subject throws
 */
export function measure(
  subject: Subject,
  durationMs: number,
  progress: (share: number) => void,
): Measurement {
  warmUp(subject);
  const samples = new Float64Array(SAMPLES_MAX);
  const start = performance.now();
  let count = 0;
  let told = start;
  for (let now = start; now - start < durationMs && count < SAMPLES_MAX; count++) {
    subject.run();
    const after = performance.now();
    samples[count] = after - now;
    now = after;
    if (after - told > STEP_MS) {
      progress((after - start) / durationMs);
      told = after;
    }
  }
  return summarise(samples.subarray(0, count), performance.now() - start, subject.batch);
}
