// @peculiar/x509 finds its algorithms through a container that needs this polyfill and throws when it is loaded without it, so
// the area takes the library from here only.
import 'reflect-metadata';

export * from '@peculiar/x509';
