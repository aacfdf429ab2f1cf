using System.Text.RegularExpressions;

namespace KpiControl.Jobs.Validation;

/// <summary>A piece of text that looks like a secret. <see cref="Text"/> is it, and goes nowhere.</summary>
internal readonly record struct SecretMatch(string Rule, string What, int Index, string Text);

/// <summary>Secrets that can be told by their shape alone. Matching is linear to the text, whatever the text.</summary>
internal static class SecretShapes
{
    private static readonly (string Rule, string What, Regex Pattern)[] Known =
    [
        ("private_key", "a private key", Shape("-----BEGIN [A-Z0-9 ]*PRIVATE KEY( BLOCK)?-----")),
        ("token", "an AWS access key id", Shape(@"\b(AKIA|ASIA)[A-Z0-9]{16}\b")),
        ("token", "a GitHub token", Shape(@"\b(gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,})")),
        ("token", "a GitLab token", Shape(@"\bgl(pat|ptt|dt|rt)-[A-Za-z0-9_-]{20,}")),
        ("token", "a Slack token", Shape(@"\bx(ox[abeprs]|app)-[A-Za-z0-9-]{10,}")),
        ("token", "a Slack webhook", Shape(@"hooks\.slack\.com/(services|workflows)/[A-Za-z0-9/_-]{20,}")),
        ("token", "a Google API key", Shape(@"\bAIza[A-Za-z0-9_-]{35}")),
        ("token", "a Stripe key", Shape(@"\b[rs]k_(live|test)_[A-Za-z0-9]{16,}")),
        ("token", "an API key", Shape(@"\bsk-[A-Za-z0-9_-]{20,}")),
        ("token", "a Vault token", Shape(@"\bhv[sbr]\.[A-Za-z0-9_-]{20,}")),
        ("token", "a package registry token", Shape(@"\b(npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_-]{40,}|oy2[a-z0-9]{43})")),
        ("token", "a SendGrid key", Shape(@"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}")),
        ("token", "a JSON web token", Shape(@"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*")),
        ("token", "an authorization header", Shape(@"(?i)\b(bearer|basic)\s+[A-Za-z0-9+/._~-]{20,}=*")),
        ("connection_string", "a connection string with a key", Shape(@"(?i)\b(accountkey|sharedaccesskey|sharedaccesssignature|client_?secret)\s*=\s*[^\s;&'""]{8,}")),
        ("connection_string", "a connection string with a password", Shape(@"(?i)\b(password|passwd|pwd)\s*=\s*[^\s;&'""]{3,}")),
        ("url_credentials", "a URL with credentials", Shape(@"(?i)\b[a-z][a-z0-9+.-]{1,20}://[^\s/?#:@'""]*:[^\s/?#@'""]+@")),
    ];

    public static IEnumerable<SecretMatch> In(string text) =>
        Known.SelectMany(k => k.Pattern.Matches(text).Select(m => new SecretMatch("secrets." + k.Rule, k.What, m.Index, m.Value)));

    /// <summary>The text without what looks like a secret.</summary>
    public static string Redact(string text) => Known.Aggregate(text, (t, k) => k.Pattern.Replace(t, "***"));

    private static Regex Shape(string pattern) => new(pattern, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);
}
