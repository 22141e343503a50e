import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import type forge from 'node-forge';

export interface Pkcs12Contents {
  /** The certificate of the key first. */
  readonly certificates: readonly X509Certificate[];
  readonly key: KeyObject | undefined;
}

type Forge = typeof forge;

/**
 * Certificates and private key of a PKCS#12 file. node-forge opens it (it is loaded for that alone); the key, RSA or EC, is taken by Node.
 *
 * @throws Error that says what is wrong, without any content
 */
export async function readPkcs12(content: Buffer, passphrase: string | undefined): Promise<Pkcs12Contents> {
  const { default: library } = await import('node-forge');
  const bags = openBags(library, content, passphrase ?? '');
  const keys = bags.flatMap((bag) => (isKeyBag(library, bag) ? [bag] : []));
  if (keys.length > 1) throw new Error('there is more than one private key in it');
  const certificates = bags.flatMap((bag) =>
    bag.type === library.pki.oids.certBag ? [new X509Certificate(derOfCertificate(library, bag))] : [],
  );
  if (certificates.length === 0) throw new Error('there is no certificate in it');
  const [bag] = keys;
  const key = bag && createPrivateKey({ key: derOfKey(library, bag), format: 'der', type: 'pkcs8' });
  const own = certificates.find((certificate) => key !== undefined && certificate.checkPrivateKey(key));
  const others = certificates.filter((certificate) => certificate !== own);
  return { certificates: own === undefined ? others : [own, ...others], key };
}

function openBags(library: Forge, content: Buffer, passphrase: string): forge.pkcs12.Bag[] {
  let parsed: forge.asn1.Asn1;
  try {
    parsed = library.asn1.fromDer(library.util.createBuffer(content.toString('binary')));
  } catch {
    throw new Error('is neither PEM nor PKCS#12');
  }
  try {
    const { safeContents } = library.pkcs12.pkcs12FromAsn1(parsed, passphrase);
    return safeContents.flatMap(({ safeBags }) => safeBags);
  } catch {
    throw new Error(
      'cannot be opened as PKCS#12: the passphrase (pki.clientCertificates.intermediatePassphraseFile) is missing or wrong, or the file is damaged',
    );
  }
}

function isKeyBag({ pki }: Forge, { type }: forge.pkcs12.Bag): boolean {
  return type === pki.oids.keyBag || type === pki.oids.pkcs8ShroudedKeyBag;
}

/** What node-forge cannot read itself, as everything EC, it leaves as ASN.1. */
function derOfKey({ asn1, pki }: Forge, bag: forge.pkcs12.Bag): Buffer {
  const info = bag.key ? pki.wrapRsaPrivateKey(pki.privateKeyToAsn1(bag.key)) : bag.asn1;
  return Buffer.from(asn1.toDer(info).getBytes(), 'binary');
}

function derOfCertificate({ asn1, pki }: Forge, bag: forge.pkcs12.Bag): Buffer {
  const certificate = bag.cert ? pki.certificateToAsn1(bag.cert) : bag.asn1;
  return Buffer.from(asn1.toDer(certificate).getBytes(), 'binary');
}
