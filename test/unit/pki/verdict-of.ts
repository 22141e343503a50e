import { verifyServing, type ServingTarget, type ServingVerdict } from '../../../src/pki/verify-serving.ts';
import { waitFor } from '../../cluster/wait-for.ts';

/** A machine that stands still answers nobody in time, which says nothing of certificates: asked again. */
export async function verdictOf(target: ServingTarget): Promise<ServingVerdict> {
  return await waitFor('an answer in time', async () => {
    const verdict = await verifyServing(target);
    return !verdict.ok && verdict.reason === 'no answer in time' ? undefined : verdict;
  });
}
