// The whole surface of the shop in one table, put together from its departments. A route is
// {method, path, handle, needs: 'user' | 'partner', welcomes, documented}: `welcomes` gives a new visitor a session,
// `documented: false` marks what is missing from openapi.json on purpose.

import { accountRoutes } from './accounts.mjs';
import { cartRoutes } from './cart.mjs';
import { catalogueRoutes } from './catalogue.mjs';
import { debugRoutes } from './debug.mjs';
import { legacyRoutes } from './legacy.mjs';
import { orderRoutes } from './orders.mjs';
import { profileRoutes } from './profile.mjs';

export const routes = [
  ...accountRoutes,
  ...profileRoutes,
  ...catalogueRoutes,
  ...cartRoutes,
  ...orderRoutes,
  ...legacyRoutes,
  ...debugRoutes,
];
