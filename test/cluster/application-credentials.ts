/** What a container of an application finds: to be given to `https.request` (`ca`, `cert`, `key`), and the token for the body. */
export interface ApplicationCredentials {
  readonly token: string;
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** Reads them from the `data` of the application's Secret; empty where there is nothing. */
export function credentialsIn(secret: {
  readonly data?: Readonly<Record<string, string>>;
}): ApplicationCredentials {
  const read = (key: string) => Buffer.from(secret.data?.[key] ?? '', 'base64').toString('utf8');
  return { token: read('token'), ca: read('ca-bundle.pem'), cert: read('cert.pem'), key: read('key.pem') };
}
