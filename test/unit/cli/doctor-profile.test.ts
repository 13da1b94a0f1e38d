/** Which profile fits a server, as the doctor tries it. */
import { expect, test } from "vitest";
import type { Session } from "../../../src/cli/command.js";
import { tryProfile } from "../../../src/cli/doctor/profile.js";
import { toConnection } from "../../../src/connections/index.js";
import { StoragePath } from "../../../src/path.js";
import { describeOn, useBucket } from "../../servers/use.js";
import { relay, startProxy } from "../../support/proxy.js";

await describeOn("versitygw", "the profile that fits", (server) => {
  const bucket = useBucket(server);
  const tried = (profile: string, endpoint_url: string) => {
    const session = { env: {}, signal: new AbortController().signal } as unknown as Session;
    const connection = toConnection("it", {
      ...server.connection,
      extra: { ...server.connection.extra, endpoint_url },
    });
    const folder = StoragePath.of({ scheme: "s3", connectionId: "it", bucket: bucket().name, key: "trial" });
    return tryProfile(session, folder, connection, profile, () => large());
  };
  async function* large() {
    for (let i = 0; i < 9; i += 1) yield new Uint8Array(2 ** 20);
  }

  test("is the richest whose features the server has, and known addresses are not tried", async () => {
    expect(await tried("minio", server.endpoint)).toEqual({
      finding: { check: "profile", status: "ok", detail: "minio fits this server" },
    });
    expect(await tried("aws", server.endpoint)).toEqual({});
  });

  test("is poorer where conditions are ignored", async () => {
    const proxy = await startProxy(server.endpoint, {
      answer: async (exchange) => {
        for (const name of ["if-none-match", "if-match"]) delete exchange.request.headers[name];
        await relay(exchange, await exchange.forward());
      },
    });
    const { finding } = await tried("ceph", proxy.endpoint);
    await proxy.close();
    expect(finding).toMatchObject({ status: "failed", fix: expect.stringContaining("write versitygw") });
  });
});
