/** A driver called without the options that a test does not care about. */
import { buffer } from "node:stream/consumers";
import type {
  Driver,
  DriverContext,
  DriverCopyOptions,
  DriverListEntry,
  DriverListOptions,
  DriverReadOptions,
  DriverWriteOptions,
  ObjectInfo,
  OpenDriver,
  WriteResult,
} from "../../src/fs/driver/driver.js";
import { openSockets } from "../../src/fs/http/sockets.js";
import type { ByteStream } from "../../src/streams.js";
import { single } from "../../src/streams.js";

const unlimited = {
  acquire: async () => () => {},
  acquireBuffer: async (bytes: number) => ({ data: Buffer.alloc(bytes), release() {} }),
};
export const SHARED: DriverContext = { uploads: unlimited, downloads: unlimited, env: {}, openSockets };

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

export class TestDriver {
  static async open(open: OpenDriver, bucket = ""): Promise<TestDriver> {
    return new TestDriver(await open(bucket, undefined, SHARED));
  }

  constructor(readonly driver: Driver) {}

  write(
    key: string,
    body: ByteStream | Uint8Array | string,
    options: Partial<DriverWriteOptions> = {},
  ): Promise<WriteResult> {
    const data = typeof body === "string" ? Buffer.from(body) : body;
    return this.driver.write(key, data instanceof Uint8Array ? single(data) : data, { ...WRITE, ...options });
  }

  open(key: string, options: Partial<DriverReadOptions> = {}): Promise<{ info: ObjectInfo; body: ByteStream }> {
    return this.driver.read(key, { ...READ, ...options });
  }

  async text(key: string, options: Partial<DriverReadOptions> = {}): Promise<string> {
    return (await buffer((await this.open(key, options)).body)).toString();
  }

  stat(key: string): Promise<ObjectInfo> {
    return this.driver.stat(key, { version: undefined, signal: undefined });
  }

  async items(prefix: string, options: Partial<DriverListOptions> = {}): Promise<DriverListEntry[]> {
    const items: DriverListEntry[] = [];
    for await (const page of this.driver.list(prefix, { ...LIST, ...options })) items.push(...page);
    return items;
  }

  async keys(prefix: string, options: Partial<DriverListOptions> = {}): Promise<string[]> {
    return (await this.items(prefix, options)).map(({ key }) => key);
  }

  copy(from: string, to: string, options: Partial<DriverCopyOptions> & { bucket?: string } = {}): Promise<WriteResult> {
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
