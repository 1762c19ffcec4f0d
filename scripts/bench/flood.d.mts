/** Names of three network namespaces. */
export interface LaneNames {
  readonly sender: string;
  readonly node: string;
  readonly sink: string;
}

export interface FloodOptions {
  readonly target: string;
  /** Destination addresses from `target` on. */
  readonly targets?: number;
  readonly port: number;
  readonly source?: string;
  /** Source addresses from `source` on. */
  readonly sources?: number;
  /** Number of the first flow. */
  readonly first?: number;
  /** Packets per second; 0 is as fast as it goes. */
  readonly rate?: number;
  readonly count?: number;
  readonly timed?: 0 | 1;
}

export interface FloodResult {
  readonly sent: number;
  readonly seconds: number;
  readonly meanMicroseconds?: number;
  readonly medianMicroseconds?: number;
}

export interface Flood {
  readonly ended: Promise<FloodResult>;
  stop(): Promise<FloodResult>;
}

export const SOURCES: { readonly first: string; readonly cidr: string; readonly count: number };
export function wireLane(names: LaneNames): void;
export function startFlood(namespace: string, options: FloodOptions): Flood;
