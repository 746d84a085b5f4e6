// What a customer keeps with the shop: profile, addresses, and the gift card nobody ever redeems (a documented
// endpoint without traffic).

import { GIFT_CODE } from '../demo-data.mjs';
import { Refusal } from './reply.mjs';

const ADDRESSES_PER_USER = 20;

export const profileRoutes = [
  { method: 'GET', path: '/api/profile', needs: 'user', handle: ({ caller }) => ({ status: 200, body: profileOf(caller.user) }) },
  { method: 'PUT', path: '/api/profile', needs: 'user', handle: changeProfile },
  { method: 'GET', path: '/api/addresses', needs: 'user', handle: ({ caller }) => ({ status: 200, body: { items: caller.user.addresses } }) },
  { method: 'POST', path: '/api/addresses', needs: 'user', handle: addAddress },
  { method: 'POST', path: '/api/gift-cards/redeem', needs: 'user', handle: redeemGiftCard },
];

const profileOf = ({ username, name, email, role }) => ({ username, name, email, role });

function changeProfile({ caller, body }) {
  Object.assign(caller.user, body);
  return { status: 200, body: profileOf(caller.user) };
}

function addAddress({ caller, body }) {
  const { addresses } = caller.user;
  if (addresses.length >= ADDRESSES_PER_USER) throw new Refusal(409, 'the address book is full');
  const address = { id: addresses.length + 1, ...body };
  addresses.push(address);
  return { status: 201, body: address };
}

function redeemGiftCard({ caller: { user }, body }) {
  if (body.code !== GIFT_CODE) throw new Refusal(422, 'this code is not valid');
  if (user.redeemed) throw new Refusal(409, 'this code was redeemed before');
  user.redeemed = true;
  return { status: 200, body: { credit: 10, currency: 'EUR' } };
}
