// Opens or closes the whole tree.
for (const button of document.querySelectorAll('button[data-open]')) {
  button.addEventListener('click', () => {
    const nodes = document.querySelectorAll('.tree details');
    for (const node of nodes) node.open = Boolean(button.dataset.open);
  });
}
