import { posix } from 'node:path';
import { z } from 'zod';

const envName = (byDefault: string) =>
  z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be a name for an environment variable: letters, digits and _')
    .default(byDefault);
const absoluteDirectory = z.string().regex(/^\/[^:]+$/, 'must be an absolute path without ":"');
const fileName = (byDefault: string) =>
  z
    .string()
    .regex(/^[^/:]+$/, 'must be a file name without "/"')
    .default(byDefault);

/** `injection`: what is put into pods, and under which names. */
export const injectionSchema = z
  .strictObject({
    tokenEnv: z
      .array(envName('KRAKE_TOKEN'))
      .default(['KRAKE_TOKEN'])
      .describe('Environment variables that hold the token.'),
    completeTokenEnv: envName('KRAKE_COMPLETE_TOKEN').describe(
      "Krake's current name of the token for the complete hook.",
    ),
    completeUrlEnv: envName('KRAKE_COMPLETE_URL').describe('Environment variable with the complete URL.'),
    shutdownTokenEnv: envName('KRAKE_SHUTDOWN_TOKEN').describe(
      "Krake's current name of the token for the shutdown hook.",
    ),
    shutdownUrlEnv: envName('KRAKE_SHUTDOWN_URL').describe('Environment variable with the shutdown URL.'),
    mountDirectories: z
      .array(absoluteDirectory)
      .min(1)
      .default(['/etc/krake_cert'])
      .describe('Directories where the TLS files are mounted read-only.'),
    caBundleFile: fileName('ca-bundle.pem').describe('File name of the CA bundle in them.'),
    certFile: fileName('cert.pem').describe(
      "File name of the application's certificate in them, the intermediate after it.",
    ),
    keyFile: fileName('key.pem').describe('File name of its private key in them.'),
    tokenFileEnv: envName('KRAKE_TOKEN_FILE').describe(
      'With `auth: pod-identity`: environment variable with the path of the token.',
    ),
    tokenDirectory: absoluteDirectory
      .default('/var/run/secrets/hooks.krake.dev')
      .describe('With `auth: pod-identity`: directory of the token, mounted read-only.'),
    fsGroup: z
      .int()
      .min(1)
      .default(65_532)
      .describe(
        'Group that may read the private key, given to a pod that has no fsGroup of its own and no volume whose files it would change.',
      ),
  })
  .superRefine((injection, context) => {
    const { caBundleFile, certFile, keyFile } = injection;
    // `token` is a file beside them.
    const files = [caBundleFile, certFile, keyFile, 'token'];
    if (new Set(files).size < files.length) {
      const message = 'caBundleFile, certFile and keyFile must differ from each other and from "token"';
      context.addIssue({ code: 'custom', path: ['keyFile'], message });
    }
    const directories = [...injection.mountDirectories, injection.tokenDirectory].map((path) =>
      posix.join(path, '/'),
    );
    const isInside = directories.some((path, i) =>
      directories.some((other, j) => i !== j && path.startsWith(other)),
    );
    if (isInside) {
      const message =
        'mountDirectories and tokenDirectory must not be the same or inside each other: they are mounted read-only';
      context.addIssue({ code: 'custom', path: ['mountDirectories'], message });
    }
  })
  .prefault({});
