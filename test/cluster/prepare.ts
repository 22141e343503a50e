// Finds or builds the programs of the control plane, which takes minutes the first time: before the tests, whose time limits know nothing of it.
import { findBinaries } from './find-binaries.ts';

await findBinaries();
