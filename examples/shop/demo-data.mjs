// What the shop and its traffic agree on beforehand: the seeded accounts, the partner's key, the range of product
// and order ids. Invented people and demo secrets only.

export const ACCOUNTS = 2_000;
export const PRODUCTS = 120;
export const FIRST_ORDER = 1_001;
export const SEEDED_ORDERS = 240;
export const PARTNER_KEY = 'partner-demo-7f3a9c51';
export const GIFT_CODE = 'WELCOME-2026';
export const CATEGORIES = ['shoes', 'shirts', 'home', 'books', 'garden', 'toys'];

/** Payment tokens as a card vault would issue them; the second is always declined. */
export const CARD = 'tok_visa';
export const DECLINED_CARD = 'tok_declined';

const FIRST = ['Ada', 'Bruno', 'Chloe', 'Dmitri', 'Elif', 'Farah', 'Goran', 'Hana', 'Ines', 'Jonas', 'Kemal', 'Lucia', 'Sinead'];
const LAST = ['Almeida', 'Baker', "D'Or", 'Eriksen', 'Fischer', 'Garcia', 'Haddad', 'Ito', 'Kowalski', "O'Brien", 'Rossi'];

/** The seeded account number `index`, 0 ≤ index < ACCOUNTS. */
export function account(index) {
  const first = FIRST[index % FIRST.length];
  const last = LAST[Math.floor(index / FIRST.length) % LAST.length];
  const username = `${first}.${last}${index}`.toLowerCase();
  return {
    username,
    password: `harbour-lantern-${String(index).padStart(4, '0')}`,
    name: `${first} ${last}`,
    email: `customer${index}@example.com`,
  };
}
