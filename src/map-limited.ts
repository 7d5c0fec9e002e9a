import pLimit from 'p-limit';

/** Works on at most so many items at once. After the first failure none is begun; what is under way then is left. */
export async function mapLimited<T, U>(
  most: number,
  items: Iterable<T>,
  work: (item: T) => Promise<U>,
): Promise<U[]> {
  const limit = pLimit(most);
  return limit.map(items, async (item) => {
    try {
      return await work(item);
    } catch (error) {
      limit.clearQueue();
      throw error;
    }
  });
}
