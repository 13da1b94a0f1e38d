import { codecs, isStorageError, openStorage, StoragePath } from "stowage";

const utf8 = new TextEncoder();

async function* chunks() {
  for (const word of ["one ", "two ", "three"]) yield utf8.encode(word);
}

async function textOf(stream) {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stream) text += decoder.decode(chunk, { stream: true });
  return text;
}

/** Writes and reads by async iterables and web streams, raw and with codecs; returns the text as both saw it. */
async function encoded(storage, base, suffix) {
  const [path, piped] = [base.join(`a.txt${suffix}`), base.join(`b.txt${suffix}`)];
  const options = { compression: "infer" };
  await storage.write(path, chunks(), options);
  await storage.readable(path, options).pipeTo(storage.writable(piped, options));
  return [await textOf(storage.read(path, options)), await new Response(storage.readable(piped, options)).text()];
}

/** In several parts and over several connections, where there are any; and a range of it. */
async function large(storage, path) {
  const data = new Uint8Array(20 * 2 ** 20).map((_, at) => at % 251);
  await storage.write(path, data);
  const back = await storage.bytes(path);
  const tail = await storage.bytes(path, { start: data.length - 2 });
  return back.length === data.length && back.every((byte, at) => byte === data[at]) && tail[1] === data.at(-1);
}

async function failures(storage, base) {
  const caught = (promise) => promise.catch((error) => error);
  const taken = await caught(storage.write(base.join("a.txt"), "x", { ifAbsent: true }));
  const missing = await caught(storage.text(base.join("none")));
  const reason = new Error("enough");
  const aborted = await caught(storage.bytes(base.join("a.txt"), { signal: AbortSignal.abort(reason) }));
  return [taken.code, isStorageError(missing, "NotFound"), aborted === reason];
}

/** Uses a location for what programs use one for, and returns what it saw. */
async function use(storage, base) {
  const seen = [];
  for (const suffix of ["", ".gz", ".zst"]) seen.push(...(await encoded(storage, base, suffix)));
  const names = [];
  for await (const { path } of storage.list(base)) names.push(path.name);
  const same = await large(storage, base.join("large"));
  const refused = await failures(storage, base);
  await storage.delete(base, { recursive: true });
  return { texts: [...new Set(seen)], names, large: same, refused, left: await storage.exists(base) };
}

/** Uses every location of PLACE, and asks for one whose optional package is not installed. */
export async function uses() {
  const { connections, bases } = JSON.parse(process.env.PLACE);
  const storage = openStorage({ connections, env: {} });
  const used = {};
  for (const base of bases) {
    const path = StoragePath.parse(base);
    used[path.scheme] = await use(storage, path);
  }
  const missing = await storage.stat("gs://bucket/key").catch((error) => error.message);
  await storage.close();
  return { used, missing, codec: codecs.get("gzip").name };
}
