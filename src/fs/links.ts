/** Requests and forms that their holder can use without credentials. */
import { checkOptions } from "../errors.js";
import { checkResponseHeaders } from "./attributes.js";
import type { DriverSignedPost, DriverSignedUrl, DriverSignOptions } from "./driver/driver.js";
import { Operation } from "./operation.js";
import {
  checkNoDirectory,
  checkPost,
  checkSign,
  type PathLike,
  POST,
  SIGN,
  type SignedPostOptions,
  type SignedUrlOptions,
} from "./options.js";
import type { DriverRegistry } from "./registry.js";

/** A request that its holder can send without credentials until it expires. */
export interface SignedUrl extends DriverSignedUrl {
  method: DriverSignOptions["method"];
  expires: Date;
}

/** A form of a browser, which its holder can send without credentials until it expires. */
export interface SignedPost extends DriverSignedPost {
  expires: Date;
}

export function signedUrl(registry: DriverRegistry, path: PathLike, options: SignedUrlOptions): Promise<SignedUrl> {
  const call = new Operation("signedUrl", "sign", {});
  return call.run(async () => {
    checkOptions("signedUrl", options, SIGN);
    const checked = checkSign(options);
    const { responseHeaders } = checked;
    if (responseHeaders) checked.responseHeaders = checkResponseHeaders(responseHeaders);
    const { key, driver } = await call.object(registry, path);
    if (checked.method === "PUT") checkNoDirectory(path);
    const expires = new Date(Date.now() + checked.expiresIn * 1000);
    return { method: checked.method, expires, ...(await driver.signedUrl(key, checked)) };
  });
}

export function signedPost(registry: DriverRegistry, path: PathLike, options: SignedPostOptions): Promise<SignedPost> {
  const call = new Operation("signedPost", "sign", {});
  return call.run(async () => {
    checkOptions("signedPost", options, POST);
    const checked = checkPost(options);
    const { key, driver } = await (checked.prefix ? call.bucket(registry, path) : call.object(registry, path));
    // Each upload would replace the one before: what was forgotten is `prefix`.
    if (!checked.prefix) checkNoDirectory(path);
    const expires = new Date(Date.now() + checked.expiresIn * 1000);
    const from = checked.prefix && key !== "" ? `${key}/` : key;
    return { expires, ...(await driver.signedPost(from, checked)) };
  });
}
