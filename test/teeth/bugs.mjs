/**
 * Deliberate bugs, each one line: `replace` is put in the place of `find`, which the file must have exactly once. Every
 * one must be caught by one of `tests`, which are the cheapest files that are there for it. `npm run test:teeth` plants
 * them in a copy of the tree.
 *
 * @typedef {object} Bug
 * @property {string} name what the bug does
 * @property {string} file
 * @property {string} find
 * @property {string} replace
 * @property {string[]} tests
 * @property {string} [only] the beginning of the titles of the tests, where the files have many more
 */

/** @type {Bug[]} */
export const bugs = [
  // Conditions
  {
    name: "a file written with ifAbsent replaces what came meanwhile",
    file: "src/fs/drivers/file/replace.ts",
    find: "if (ifAbsent) await link(path, target).catch(unlinkable);\n  else await rename(path, target);",
    replace: "await rename(path, target);",
    tests: ["test/file.test.ts"],
  },
  {
    name: "memory looks at ifAbsent before the body only",
    file: "src/fs/drivers/memory.ts",
    find: "signal?.throwIfAborted();\n      check(objects.get(key), conditions);",
    replace: "signal?.throwIfAborted();",
    tests: ["test/memory.test.ts"],
  },
  {
    name: "S3 is not told ifAbsent",
    file: "src/fs/drivers/s3/multipart.ts",
    find: 'if (ifAbsent) return { "if-none-match": "*" };',
    replace: "",
    tests: ["test/s3-faults.test.ts"],
  },
  {
    name: "Google is not told ifAbsent",
    file: "src/fs/drivers/gcs/write.ts",
    find: 'ifAbsent ? "0" : generationOf(ifMatch)',
    replace: "generationOf(ifMatch)",
    tests: ["test/gcs.test.ts"],
  },
  {
    name: "Azure is not told ifAbsent",
    file: "src/fs/drivers/azure/write-http.ts",
    find: '"if-none-match": ifAbsent ? "*" : undefined,',
    replace: "",
    tests: ["test/contract.test.ts"],
    only: "Azurite keeps the contract C02",
  },
  {
    name: "a file with another etag passes ifMatch",
    file: "src/fs/drivers/file/replace.ts",
    find: "if (etag !== ifMatch) throw failure",
    replace: "if (etag === '') throw failure",
    tests: ["test/file.test.ts"],
  },
  {
    name: "a copy inside a provider forgets ifAbsent",
    file: "src/fs/storage.ts",
    find: "{ ifAbsent: ifAbsent === true, ifMatch, signal }",
    replace: "{ ifAbsent: false, ifMatch, signal }",
    tests: ["test/promises.test.ts"],
  },
  {
    name: "a create-only S3 write whose answer was lost blames itself",
    file: "src/fs/drivers/s3/lost.ts",
    find: "if (seen?.receipt.etag === attempt.etag) return seen.receipt;",
    replace: "",
    tests: ["test/s3-faults.test.ts"],
  },

  // All or nothing
  {
    name: "a file is written in place",
    file: "src/fs/drivers/file/replace.ts",
    find: "else await rename(path, target);",
    replace: 'else await (await import("node:fs/promises")).copyFile(path, target);',
    tests: ["test/file.test.ts"],
  },
  {
    name: "the old file is emptied before the new one is complete",
    file: "src/fs/drivers/file/replace.ts",
    find: "const { file, path, target } = unfinished;",
    replace: 'const { file, path, target } = unfinished; await (await open(target, "w")).close();',
    tests: ["test/file.test.ts"],
  },
  {
    name: "a file takes the place of a device",
    file: "src/fs/drivers/file/replace.ts",
    find: 'if (there && !isReplaceable(there)) throw failure("Unsupported", "a device, a pipe or a socket is there");',
    replace: "",
    tests: ["test/file.test.ts"],
  },
  {
    name: "a failed file write leaves its temporary file",
    file: "src/fs/drivers/file/replace.ts",
    find: "await file.close();\n    await unlink(path).catch(ifMissing);\n  }\n}\n\nasync function begin",
    replace: "await file.close();\n  }\n}\n\nasync function begin",
    tests: ["test/file.test.ts"],
  },
  {
    name: "a failed upload is not aborted",
    file: "src/fs/parts.ts",
    find: "await (await this.#begun)?.abort();",
    replace: "await this.#begun;",
    tests: ["test/parts.test.ts"],
  },
  {
    name: "S3 keeps the parts of an aborted upload",
    file: "src/fs/drivers/s3/write.ts",
    find: "return this.multipart.abort();",
    replace: "return Promise.resolve();",
    tests: ["test/s3-faults.test.ts", "test/requests.test.ts"],
  },
  {
    name: "a writer that is left stores what it has",
    file: "src/fs/writable.ts",
    find: 'if (!this.#closed) await this.abort(failure("InvalidArgument", "the writer was left without close()"));',
    replace: "if (!this.#closed) await this.close();",
    tests: ["test/storage.test.ts"],
  },
  {
    name: "a body shorter than its promised size is stored",
    file: "src/fs/bytes.ts",
    find: "if (seen < size) throw failure",
    replace: "if (seen < 0) throw failure",
    tests: ["test/storage.test.ts"],
  },
  {
    name: "parts are put together as they arrive",
    file: "src/fs/parts.ts",
    find: "this.#parts[part.index] = await session.part(part, this.signal);",
    replace: "this.#parts.push(await session.part(part, this.signal));",
    tests: ["test/parts.test.ts"],
  },
  {
    name: "a body of exactly one request becomes an upload in parts",
    file: "src/fs/parts.ts",
    find: "piece.size <= limits.single",
    replace: "piece.size < limits.single",
    tests: ["test/parts.test.ts"],
  },

  // Reads
  {
    name: "a read is taken up in whatever version is there",
    file: "src/fs/pinned.ts",
    find: "if (answer.info.etag === info.etag && answer.info.size === info.size) return answer.body;",
    replace: "return answer.body;",
    tests: ["test/resume.test.ts"],
  },
  {
    name: "a read is taken up without its condition",
    file: "src/fs/pinned.ts",
    find: "const ifMatch = info.etag || undefined;",
    replace: "const ifMatch = undefined;",
    tests: ["test/promises.test.ts"],
  },
  {
    name: "a body that ends early is the whole object",
    file: "src/fs/pinned.ts",
    find: "return left > 0 ? this.#broken",
    replace: "return left < 0 ? this.#broken",
    tests: ["test/resume.test.ts"],
  },
  {
    name: "the header of a range names one byte too many",
    file: "src/fs/extent.ts",
    find: 'end === undefined ? "" : end - 1',
    replace: 'end ?? ""',
    tests: ["test/extent.test.ts"],
  },
  {
    name: "a read of S3 forgets ifMatch",
    file: "src/fs/drivers/s3/read.ts",
    find: 'if (ifMatch !== undefined) headers["if-match"] = ifMatch;',
    replace: "",
    tests: ["test/contract.test.ts"],
    only: "MinIO keeps the contract C11",
  },
  {
    name: "ranges that only touch the end of a group are cut short",
    file: "src/fs/ranges.ts",
    find: "group.end = Math.max(group.end, end);",
    replace: "group.end = Math.max(group.end, end - 1);",
    tests: ["test/ranges.test.ts"],
  },
  {
    name: "the answer's body may be shorter than promised",
    file: "src/fs/http/body.ts",
    find: 'if (this.#expected !== undefined && this.received < this.#expected) this.#cut("short");\n    if (this.#failed) return;',
    replace: "if (this.#failed) return;",
    tests: ["test/http.test.ts"],
  },
  {
    name: "bytes of S3 are not compared with their checksum",
    file: "src/fs/drivers/s3/checksum.ts",
    find: "else if (encoded(this.#sum) !== this.expected)",
    replace: "else if (encoded(this.#sum) === '')",
    tests: ["test/s3-faults.test.ts"],
  },
  {
    name: "an answer of Google that was cut to nothing is an object",
    file: "src/fs/drivers/gcs/server.ts",
    find: " && Object.keys(found).length > 0",
    replace: "",
    tests: ["test/gcs.test.ts"],
    only: "answers that are wrong",
  },
  {
    name: "a decoder that fails at once keeps the connection",
    file: "src/fs/compress.ts",
    find: "await bytes[Symbol.asyncIterator]().return?.();",
    replace: "",
    tests: ["test/promises.test.ts"],
  },

  // Credentials
  {
    name: "a customer's key does not go with parts that are copied",
    file: "src/fs/drivers/s3/multipart.ts",
    find: "const headers = { ...encryption.use, ...source };",
    replace: "const headers = source;",
    tests: ["test/s3.test.ts"],
    only: "S3 encryption",
  },
  {
    name: "keys that were replaced in a file are not found",
    file: "src/fs/drivers/s3/credentials.ts",
    find: "const ANEW = { ignoreCache: true };",
    replace: "const ANEW = {};",
    tests: ["test/credentials-s3.test.ts"],
  },
  {
    name: "a role is not assumed with its session policy",
    file: "src/fs/drivers/s3/credentials.ts",
    find: "...(role.policy === undefined ? {} : { Policy: role.policy }),",
    replace: "",
    tests: ["test/credentials-s3.test.ts"],
  },
  {
    name: "no credentials at all are anonymous access",
    file: "src/connections/options/s3-keys.ts",
    find: 'return facts.anonymous ? { kind: "anonymous" } : (role ?? source);',
    replace: 'return facts.anonymous || source.kind === "default" ? { kind: "anonymous" } : (role ?? source);',
    tests: ["test/credentials-s3.test.ts"],
  },
  {
    name: "a field that cannot be honoured is ignored",
    file: "src/connections/options/gcs.ts",
    find: "extra.unsupported(name, why);",
    replace: "extra.ignore([name]);",
    tests: ["test/credentials-docs.test.ts"],
  },

  // Keys, listings, deletes
  {
    name: "a listing by directory shows one that began before startAfter",
    file: "src/fs/drivers/azure/list.ts",
    find: "page.filter(({ key }) => isAfter(key, startAfter))",
    replace: "page.filter(({ key, type }) => type === 'directory' || isAfter(key, startAfter))",
    tests: ["test/contract.test.ts"],
    only: "Azurite keeps the contract L05",
  },
  {
    name: "a listing takes a directory for the beginning of a name",
    file: "src/fs/storage.ts",
    find: 'const prefix = key === "" ?',
    replace: "const prefix = key !== undefined ? key : key === '' ?",
    tests: ["test/storage.test.ts"],
  },
  {
    name: "a recursive delete takes siblings along",
    file: "src/fs/remove.ts",
    find: 'const prefix = key === "" ?',
    replace: "const prefix = key !== undefined ? key : key === '' ?",
    tests: ["test/storage.test.ts"],
  },
  {
    name: "a path is below another when its text begins alike",
    file: "src/path.ts",
    find: 'key.length === base.length || base === "" || base.endsWith("/") || key.charCodeAt(base.length) === 0x2f',
    replace: "true",
    tests: ["test/path.test.ts"],
    only: "isRelativeTo is a partial order",
  },
  {
    name: "keys are ordered by UTF-16 units",
    file: "src/fs/order.ts",
    find: "return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;",
    replace: "return unit;",
    tests: ["test/file.test.ts"],
  },
  {
    name: "listings show unfinished files",
    file: "src/fs/drivers/file/walk.ts",
    find: 'if (name.startsWith(UNFINISHED) || name.includes("\\\\")) return undefined;',
    replace: 'if (name.includes("\\\\")) return undefined;',
    tests: ["test/file.test.ts"],
  },
  {
    name: "a link may lead out of the file root",
    file: "src/fs/drivers/file/place.ts",
    find: "if (isBelow(root, real)) return real;",
    replace: "if (root) return real;",
    tests: ["test/file.test.ts"],
  },
  {
    name: "a key that a bulk delete could not delete is not reported",
    file: "src/fs/drivers/s3/delete.ts",
    find: "for (const row of rows) if (!again.includes(row)) failures.push(failureOf(row));",
    replace: "",
    tests: ["test/s3-faults.test.ts"],
  },
  {
    name: "a tree is deleted although some of its keys were not",
    file: "src/fs/remove.ts",
    find: "if (failures.length > 0) throw new PartialDelete(failures);",
    replace: "",
    tests: ["test/promises.test.ts"],
  },
  {
    name: "exists says no where it may not look",
    file: "src/fs/storage.ts",
    find: 'if (isStorageError(error, "NotFound")) return false;',
    replace: "if (isStorageError(error)) return false;",
    tests: ["test/promises.test.ts"],
  },
  {
    name: "moving an object onto itself deletes it",
    file: "src/fs/storage.ts",
    find: "if (source.driver === target.driver && source.key === target.key) {",
    replace: "if (source === target) {",
    tests: ["test/storage.test.ts"],
  },
  {
    name: "a move between providers deletes a source that changed",
    file: "src/fs/storage.ts",
    find: 'if (op === "move") await reading.telling(() => unchanged(source, copied, signal));',
    replace: "",
    tests: ["test/storage.test.ts"],
  },
  {
    name: "an upper-case suffix names no codec",
    file: "src/codecs/lookup.ts",
    find: ".toLowerCase()",
    replace: "",
    tests: ["test/codecs/lookup.test.ts"],
  },

  // Signals, time, memory
  {
    name: "an abort rejects with what the driver says",
    file: "src/fs/call.ts",
    find: "if (this.#signal?.aborted) return this.#signal.reason;",
    replace: "",
    tests: ["test/promises.test.ts"],
  },
  {
    name: "a wait before a retry loses the reason of an abort",
    file: "src/fs/http/retry.ts",
    find: "throw signal?.aborted ? signal.reason : error;",
    replace: "throw error;",
    tests: ["test/http.test.ts"],
  },
  {
    name: "Retry-After is not waited for",
    file: "src/fs/http/retry.ts",
    find: "return Math.max(jitter, Math.min(LONGEST_RETRY_AFTER, error.retryAfter ?? 0));",
    replace: "return jitter;",
    tests: ["test/http.test.ts"],
  },
  {
    name: "bytes that are given back twice count twice",
    file: "src/fs/budget.ts",
    find: "if (!held) return;",
    replace: "",
    tests: ["test/budget.test.ts"],
  },
  {
    name: "an error hidden in an answer with status 200 is a success",
    file: "src/fs/drivers/s3/dialect.ts",
    find: "return /^\\s*(?:<\\?xml[^>]*>\\s*)?<Error[\\s>]/.test(text);",
    replace: "return text === '';",
    tests: ["test/s3-units.test.ts"],
  },

  // Codecs
  {
    name: "gzip ignores its CRC",
    file: "src/codecs/gzip.ts",
    find: "if (trailer.readUInt32LE(0) !== tally.crc)",
    replace: "if (trailer.byteLength === 0)",
    tests: ["test/codecs/corruption.test.ts", "test/codecs/strict.test.ts"],
  },
  {
    name: "gzip ignores the length of its content",
    file: "src/codecs/gzip.ts",
    find: "if (trailer.readUInt32LE(4) !== tally.size % 2 ** 32)",
    replace: "if (trailer.byteLength === 0)",
    tests: ["test/codecs/corruption.test.ts", "test/codecs/strict.test.ts"],
  },
  {
    name: "a decoder that asks for bytes past the end gets fewer",
    file: "src/codecs/source.ts",
    find: "if (!(await this.has(count))) throw this.truncated();",
    replace: "await this.has(count);",
    tests: ["test/codecs/corruption.test.ts", "test/codecs/strict.test.ts"],
  },
  {
    name: "snappy ignores its checksums",
    file: "src/codecs/snappy/decode.ts",
    find: "if (masked(data) !== sum)",
    replace: "if (data.byteLength < 0)",
    tests: ["test/codecs/corruption.test.ts", "test/codecs/strict.test.ts"],
  },
  {
    name: "lz4 ignores the checksum of the content",
    file: "src/codecs/lz4/decode.ts",
    find: "if (hash && (await number(source)) !== hash.digest())",
    replace: "if (hash && (await number(source)) < 0)",
    tests: ["test/codecs/corruption.test.ts", "test/codecs/strict.test.ts"],
  },
  {
    name: "decoded bytes are not limited",
    file: "src/codecs/format.ts",
    find: "if (length > maxDecodedBytes) throw failure",
    replace: "if (length < 0) throw failure",
    tests: ["test/codecs/limits.test.ts"],
  },

  // Signatures, credentials, secrets
  {
    name: "the session token is sent without a signature",
    file: "src/fs/sign/sigv4.ts",
    find: 'const names = inOrder(["host", ...Object.keys(headers)]);',
    replace:
      'const names = inOrder(["host", ...Object.keys(headers).filter((name) => !name.endsWith("security-token"))]);',
    tests: ["test/sign-sigv4.test.ts"],
  },
  {
    name: "Azure's headers are signed in the order of ASCII",
    file: "src/fs/sign/azure.ts",
    find: "names.sort(byWeight);",
    replace: "names.sort();",
    tests: ["test/sign-azure.test.ts"],
  },
  {
    name: "a secret shows when it is inspected",
    file: "src/connections/secret.ts",
    find: '[inspect.custom](): string {\n    return "[redacted]";',
    replace: "[inspect.custom](): string {\n    return this.#value;",
    tests: ["test/secrets.test.ts"],
  },
  {
    name: "the message about a password in a path repeats it",
    file: "src/path/parse.ts",
    find: 'if (id.includes(":")) throw credentials();',
    replace: 'if (id.includes(":")) throw invalid(id);',
    tests: ["test/storage.test.ts"],
  },
  {
    name: "a source of connections that fails lets the next one answer",
    file: "src/connections/source.ts",
    find: "const found = await source.get(id);\n        if (found) return found;",
    replace: "const found = await source.get(id).catch(() => undefined);\n        if (found) return found;",
    tests: ["test/connections-sources.test.ts"],
  },

  // XComs
  {
    name: "a value of exactly the threshold stays in the row",
    file: "src/objectstore-backend.ts",
    find: "if (length >= threshold || beyondJson) return true;",
    replace: "if (length > threshold || beyondJson) return true;",
    tests: ["test/xcom-backend.test.ts"],
  },
  {
    name: "segments that are empty or dots make a reference",
    file: "src/xcom/coordinate.ts",
    find: "return isPrintable(below) && !segments.some(isHollow) ? segments : undefined;",
    replace: "return isPrintable(below) ? segments : undefined;",
    tests: ["test/xcom-backend.test.ts", "test/xcom-refs.test.ts"],
  },
  {
    name: "a task reads the object of another",
    file: "src/xcom/reference.ts",
    find: "if (owner) checkOwned(found, owner, base, path);",
    replace: "",
    tests: ["test/xcom-backend.test.ts"],
  },
  {
    name: "a missing object is told as its reference",
    file: "src/objectstore-backend.ts",
    find: 'if (this.#settings.onMissing === "reference" && isUnreadable(error)) return String(path);',
    replace: "if (isUnreadable(error)) return String(path);",
    tests: ["test/xcom-backend.test.ts"],
  },
  {
    name: "an integer of 16 digits is read as a float",
    file: "src/xcom/json/simple.ts",
    find: "[0-9]{16,}",
    replace: "[0-9]{17,}",
    tests: ["test/xcom-integers.test.ts"],
  },
  {
    name: "the object of a replaced value stays behind",
    file: "src/xcom/xcom.ts",
    find: "if (old && old.value !== stored) await this.#backend.purge",
    replace: "if (!old) await this.#backend.purge",
    tests: ["test/rows.test.ts"],
  },
];
