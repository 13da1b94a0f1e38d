/** A driver called without the options that a test does not care about. */
import { buffer } from "node:stream/consumers";
import type {
  CopyOptions,
  Driver,
  Info,
  Item,
  ListOptions,
  OpenDriver,
  ReadOptions,
  Receipt,
  Shared,
  WriteOptions,
} from "../../src/fs/driver/driver.js";
import type { Bytes } from "../../src/streams.js";
import { single } from "../../src/streams.js";

const unlimited = { take: async () => () => {} };
export const SHARED: Shared = { uploads: unlimited, downloads: unlimited, env: {} };

const READ = { start: 0, end: undefined, ifMatch: undefined, version: undefined, signal: undefined };
const LIST = { delimiter: undefined, startAfter: undefined, versions: false, signal: undefined } as const;
const WRITE = {
  ifAbsent: false,
  ifMatch: undefined,
  contentType: undefined,
  metadata: undefined,
  size: undefined,
  signal: undefined,
  onProgress: undefined,
};

export class Seam {
  static async open(open: OpenDriver, bucket = ""): Promise<Seam> {
    return new Seam(await open(bucket, undefined, SHARED));
  }

  constructor(readonly driver: Driver) {}

  write(key: string, body: Bytes | Uint8Array | string, options: Partial<WriteOptions> = {}): Promise<Receipt> {
    const data = typeof body === "string" ? Buffer.from(body) : body;
    return this.driver.write(key, data instanceof Uint8Array ? single(data) : data, { ...WRITE, ...options });
  }

  open(key: string, options: Partial<ReadOptions> = {}): Promise<{ info: Info; body: Bytes }> {
    return this.driver.read(key, { ...READ, ...options });
  }

  async text(key: string, options: Partial<ReadOptions> = {}): Promise<string> {
    return (await buffer((await this.open(key, options)).body)).toString();
  }

  stat(key: string): Promise<Info> {
    return this.driver.stat(key, { version: undefined, signal: undefined });
  }

  async items(prefix: string, options: Partial<ListOptions> = {}): Promise<Item[]> {
    const items: Item[] = [];
    for await (const page of this.driver.list(prefix, { ...LIST, ...options })) items.push(...page);
    return items;
  }

  async keys(prefix: string, options: Partial<ListOptions> = {}): Promise<string[]> {
    return (await this.items(prefix, options)).map(({ key }) => key);
  }

  copy(from: string, to: string, options: Partial<CopyOptions> & { bucket?: string } = {}): Promise<Receipt> {
    const { bucket = "", ...rest } = options;
    return this.driver.copy({ bucket, key: from }, to, {
      ifAbsent: false,
      ifMatch: undefined,
      signal: undefined,
      ...rest,
    });
  }

  delete(...keys: string[]): Promise<void> {
    return this.driver.delete(
      keys.map((key) => ({ key })),
      { signal: undefined },
    );
  }
}
