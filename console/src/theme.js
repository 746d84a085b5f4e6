// Dark or light: the system's choice until the viewer makes another. Nothing else is kept in the browser.

const KEY = 'throughline-theme';

export const nextTheme = () => (isDark() ? 'light' : 'dark');

export function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
}

export function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem(KEY, theme);
  } catch { /* a browser that keeps nothing: it holds until the tab closes */ }
  document.dispatchEvent(new Event('themechange'));
}

try {
  const kept = localStorage.getItem(KEY);
  if (kept === 'dark' || kept === 'light') document.documentElement.dataset.theme = kept;
} catch { /* as above */ }
