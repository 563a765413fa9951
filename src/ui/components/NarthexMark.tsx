/** The mark: a stalk of fennel that carries fire. */
export function NarthexMark({ size = 26 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <g fill="none" stroke="var(--nx-stalk)" strokeLinecap="round">
        <path d="M16 30V14" strokeWidth="3.2" />
        <path d="M16 25c-1-4-4.5-6-8.5-6.3M16 25c1-4 4.5-6 8.5-6.3" strokeWidth="2.2" />
      </g>
      <path
        fill="#e8590c"
        d="M16 1.5c1 3.5 6 5.6 6 10.3a6 6 0 0 1-12 0c0-2.3 1.2-3.9 2.5-5.3.2 1.7.8 2.7 1.8 3.3C13.8 6.8 14.3 3.8 16 1.5Z"
      />
      <path fill="#ffd43b" d="M16.2 9.2c.5 1.6 2.5 2.5 2.5 4.5a2.7 2.7 0 0 1-5.4 0c0-1.9 1.9-2.7 2.9-4.5Z" />
    </svg>
  );
}
