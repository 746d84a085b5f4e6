// Who sits in front of which screen: addresses, networks, user agents and TLS fingerprints. Every client has addresses
// of its own, so that two actors share an address only where the plan wants it. IPv4 addresses come from the
// benchmarking range 198.18.0.0/15 (RFC 2544), one /19 a network; IPv6 from 2001:db8::/32 (RFC 3849), one /64 a client.

const HOMES = [
  { asn: 3320, country: 'DE' }, { asn: 3215, country: 'FR' }, { asn: 2856, country: 'GB' },
  { asn: 7922, country: 'US' }, { asn: 4713, country: 'JP' }, { asn: 12874, country: 'IT', isV6: true },
];
const CARRIERS = [{ asn: 21928, country: 'US' }, { asn: 12430, country: 'ES' }, { asn: 20057, country: 'US' }, { asn: 3209, country: 'DE' }];
const HOSTERS = [{ asn: 14061, country: 'US' }, { asn: 16276, country: 'FR' }, { asn: 24940, country: 'DE' }];
const OFFICES = [{ asn: 1136, country: 'NL' }];
const NETWORKS = [...HOMES, ...CARRIERS, ...HOSTERS, ...OFFICES];
const CLIENTS_PER_NETWORK = 2 ** 13 - 2;

const WINDOWS = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64)';
const MAC = 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)';
const BROWSERS = [
  { userAgent: `${WINDOWS} AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36`, ja4: 't13d1516h2_8daaf6152771_02713d6af862' },
  { userAgent: `${MAC} AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36`, ja4: 't13d1516h2_8daaf6152771_02713d6af862' },
  { userAgent: `${MAC} AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Safari/605.1.15`, ja4: 't13d2014h2_a09f3c656075_14788d8d241b' },
  { userAgent: 'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0', ja4: 't13d1715h2_5b57614c22b0_5c2c66f702b0' },
];
const APPS = [
  { userAgent: 'Shop/5.2.1 (iPhone; iOS 18.6) CFNetwork/1568.300 Darwin/24.6.0', ja4: 't13d2014h2_a09f3c656075_e42f34c56612' },
  { userAgent: 'Shop/5.2.0 (Android 16; Pixel 9) okhttp/4.12.0', ja4: 't13d1311h2_f57a46bbacb6_ab7e3b40a677' },
];
export const SCRIPT = { userAgent: 'python-requests/2.32.5', ja4: 't13d1812h1_85036bcba153_375ca2c5e164' };
export const STRANGE_BROWSER = { userAgent: `${WINDOWS} AppleWebKit/537.36 (KHTML, like Gecko) Chrome/98.0.0.0 Safari/537.36`, ja4: 't13d190900_9dc949149365_97f8aa674fd9' };

/** Hands out clients {addresses, country, asn, userAgent?, ja4?}, no address twice. */
export class Clients {
  #taken = new Map(NETWORKS.map((network) => [network, 0]));

  browser(random) {
    return this.#client(random.pick(HOMES), random.pick(BROWSERS));
  }

  /** A browser behind an address that a whole office shares. */
  office(random) {
    return this.#client(random.pick(OFFICES), random.pick(BROWSERS));
  }

  /** A phone, which its carrier gives a new address now and then. */
  phone(random, addresses) {
    return this.#client(random.pick(CARRIERS), random.pick(APPS), addresses);
  }

  /** A program in a data centre; `software` is {userAgent?, ja4?}. */
  hosted(random, software) {
    return this.#client(random.pick(HOSTERS), software);
  }

  #client(network, software, count = 1) {
    const { asn, country } = network;
    return { addresses: Array.from({ length: count }, () => this.#address(network)), country, asn, ...software };
  }

  #address(network) {
    const index = this.#taken.get(network) + 1;
    if (index > CLIENTS_PER_NETWORK) throw new RangeError('no addresses left: ask for fewer requests');
    this.#taken.set(network, index);
    const position = NETWORKS.indexOf(network) * 2 ** 13 + index;
    if (network.isV6) return `2001:db8:0:${position.toString(16)}::1`;
    return `198.${18 + (position >> 16)}.${(position >> 8) & 255}.${position & 255}`;
  }
}
