/** What the command says of Azure, on Azurite. */
import { expect, test } from "vitest";
import { describeOn, useBucket } from "../../servers/use.js";
import { jsonLines, knowing, stowage } from "../../support/command.js";

await describeOn("azurite", "signed links to write", (server) => {
  const box = useBucket(server);

  test("come with the header that a PUT to Azure needs, and the help shows it", async () => {
    const options = knowing("lake", server.connection);
    const path = `abfs://lake@${box().name}/a.csv`;
    const { stdout } = await stowage(["sign", "--json", "--method", "PUT", path], options);
    const [{ link, headers }] = jsonLines(stdout) as [{ link: string; headers: Record<string, string> }];
    expect((await fetch(link, { method: "PUT", body: "a,b" })).status).toBe(400);
    expect((await fetch(link, { method: "PUT", body: "a,b", headers })).status).toBe(201);
    expect((await stowage(["cat", path], options)).stdout).toBe("a,b");
    const help = (await stowage(["sign", "--help"])).stdout;
    for (const [name, value] of Object.entries(headers)) expect(help).toContain(`-H "${name}: ${value}"`);
    const reading = jsonLines((await stowage(["sign", "--json", path], options)).stdout);
    expect(reading[0]).toHaveProperty("headers", {});
  });
});
