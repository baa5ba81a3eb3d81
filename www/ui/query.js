// The parameters of the page's own address: they outlive a reload, and go with a copied address.

const parameters = new URLSearchParams(location.search);

/** @param {string} name */
export const parameter = (name) => parameters.get(name);

/**
 * @param {string} name
 * @param {string | null} value null takes it out
 */
export function setParameter(name, value) {
  if (value === null) parameters.delete(name);
  else parameters.set(name, value);
  const query = parameters.toString();
  history.replaceState(null, "", location.pathname + (query && `?${query}`));
}
