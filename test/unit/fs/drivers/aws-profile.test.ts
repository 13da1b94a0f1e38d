/** The region and the endpoints of AWS's shared files. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ConnectionInput, toConnection } from "../../../../src/connections/index.js";
import { envWithAwsProfile } from "../../../../src/fs/drivers/s3/aws-profile.js";
import { s3Options } from "../../../../src/fs/drivers/s3/connection.js";
import { openStorage } from "../../../../src/open.js";

const CONFIG = `
# comments and spaces as the AWS tools allow them
[default]
region = eu-central-1 ; where the lake is
[profile lake]
region=ap-south-1
endpoint_url = https://lake.example
services = ours
[ services  "ours" ]
s3 =
  endpoint_url = https://s3.lake.example
  addressing_style = path
dynamodb =
  endpoint_url = https://dynamo.lake.example
[profile plain]
s3 =
  endpoint_url = https://not-here.example
region = us-west-2
endpoint_url = https://plain.example
[profile quiet]
region = eu-west-3
endpoint_url = https://quiet.example
ignore_configured_endpoint_urls = true
[profile wrong]
endpoint_url = lake.example
[lake]
region = not-of-a-profile
`;
const KEYS = { login: "AKIA", password: "secret" };

let folder: string;
let files: Record<string, string>;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "stowage-profile-"));
  files = {
    AWS_CONFIG_FILE: join(folder, "config"),
    AWS_SHARED_CREDENTIALS_FILE: join(folder, "credentials"),
  };
  await writeFile(files.AWS_CONFIG_FILE!, CONFIG);
  await writeFile(files.AWS_SHARED_CREDENTIALS_FILE!, "[both]\nregion = eu-north-1\n");
});
afterAll(() => rm(folder, { recursive: true }));

async function options(extra: Record<string, unknown>, env: Record<string, string> = {}) {
  const connection = toConnection("it", { type: "aws", ...KEYS, extra } satisfies ConnectionInput);
  const { region, endpoint } = s3Options(connection, await envWithAwsProfile(connection, { ...files, ...env }));
  return { region, endpoint };
}

describe("the region and the endpoint are those of", () => {
  test("the profile that the connection names, with the endpoint of its services section", async () => {
    const lake = { region: "ap-south-1", endpoint: "https://s3.lake.example" };
    expect(await options({ profile_name: "lake" }, { AWS_PROFILE: "plain" })).toEqual(lake);
    expect(await options({ session_kwargs: { profile_name: "lake" } })).toEqual(lake);
  });
  test("AWS_PROFILE, else the default profile; a nested endpoint_url is not the profile's", async () => {
    expect(await options({}, { AWS_PROFILE: "plain" })).toEqual({
      region: "us-west-2",
      endpoint: "https://plain.example",
    });
    expect(await options({})).toEqual({ region: "eu-central-1", endpoint: undefined });
  });
  test("the credentials file too", async () => {
    expect(await options({ profile_name: "both" })).toEqual({ region: "eu-north-1", endpoint: undefined });
  });
  test("the connection before the environment, and the environment before the profile", async () => {
    const stated = { region_name: "own-1", endpoint_url: "https://own.example" };
    const variables = { AWS_DEFAULT_REGION: "env-1", AWS_ENDPOINT_URL: "https://env.example" };
    expect(await options({ profile_name: "lake", ...stated }, variables)).toEqual({
      region: "own-1",
      endpoint: "https://own.example",
    });
    expect(await options({ profile_name: "lake" }, variables)).toEqual({
      region: "env-1",
      endpoint: "https://env.example",
    });
  });
  test("the region only, if the profile says so about endpoints", async () => {
    expect(await options({ profile_name: "quiet" })).toEqual({ region: "eu-west-3", endpoint: undefined });
  });
});

test("a profile, file or home folder that is not there adds nothing", async () => {
  const nothing = { region: undefined, endpoint: undefined };
  expect(await options({ profile_name: "nobody" })).toEqual(nothing);
  expect(await options({}, { AWS_CONFIG_FILE: "/nonexistent" })).toEqual(nothing);
  expect(await envWithAwsProfile(undefined, { HOME: folder })).toEqual({ HOME: folder });
});

test("an endpoint that is no address is refused with the profile and the field", async () => {
  await expect(options({ profile_name: "wrong" })).rejects.toThrow(/profile "wrong": endpoint_url must be an address/);
});

test("a signed link has the profile's region in its scope and its host", async () => {
  const connections = { it: { type: "aws", ...KEYS } };
  await using storage = openStorage({ connections, env: files });
  const link = new URL((await storage.signedUrl("s3://it@bucket/key", { expiresIn: 60 })).url);
  expect(link.host).toBe("bucket.s3.eu-central-1.amazonaws.com");
  expect(link.searchParams.get("X-Amz-Credential")).toContain("/eu-central-1/s3/");
});
