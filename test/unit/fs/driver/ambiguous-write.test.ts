import { describe, expect, it } from "vitest";
import { failure } from "../../../../src/errors.js";
import { type ObservedObject, reconcileAmbiguousWrite } from "../../../../src/fs/driver/ambiguous-write.js";
import { HttpError } from "../../../../src/fs/http/errors.js";

function lost(status = 0): HttpError {
  return Object.assign(new HttpError("network", "PUT", status, undefined, "lost"), { ambiguous: true });
}

const create = { since: performance.now(), ifAbsent: true, ifMatch: undefined, isOurs: () => false };
const plain = { ...create, ifAbsent: false };
const no = (error: unknown) => () => Promise.reject<ObservedObject>(error);

describe("a write whose response was lost", () => {
  // Its own error would say that the write did not happen.
  it.each([
    ["the credentials have expired", failure("Unauthenticated", "expired")],
    ["the response is no object", failure("Corrupt", "a login page")],
    ["the line is down", lost()],
  ])("has an unknown outcome under a condition if the look fails because %s", async (_, reason) => {
    await expect(reconcileAmbiguousWrite(lost(), create, no(reason))).rejects.toMatchObject({ code: "CommitUnknown" });
    const error = lost();
    await expect(reconcileAmbiguousWrite(error, plain, no(reason))).rejects.toBe(error);
    const success = reconcileAmbiguousWrite(lost(200), plain, no(reason));
    await expect(success).rejects.toMatchObject({ code: "CommitUnknown" });
  });

  it("that says not what it stored stays CommitUnknown, unless the object is its own", async () => {
    const error = failure("CommitUnknown", "no generation");
    const seen = async () => ({ result: { etag: "7" } });
    await expect(reconcileAmbiguousWrite(error, create, seen)).rejects.toBe(error);
    await expect(reconcileAmbiguousWrite(error, plain, undefined)).rejects.toBe(error);
    await expect(reconcileAmbiguousWrite(error, { ...create, isOurs: () => true }, seen)).resolves.toEqual({
      etag: "7",
    });
  });
});
