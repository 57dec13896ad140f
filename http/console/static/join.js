// Takes the invitation out of the link's fragment, which browsers send nowhere,
// and out of the address bar and its history.
const token = location.hash.slice(1);
const field = document.getElementById('invitation');
if (token && field) {
  field.value = token;
  document.getElementById('invitation-hint').textContent = 'The invitation was taken from your link.';
  history.replaceState(null, '', location.pathname);
}
