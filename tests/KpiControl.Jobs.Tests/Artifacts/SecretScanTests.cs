using KpiControl.Jobs.Artifacts;

namespace KpiControl.Jobs.Tests.Artifacts;

public sealed class SecretScanTests
{
    // Put together here, so that no file of the repository holds what scanners of repositories look for.
    private static readonly string Alnum = string.Concat(Enumerable.Range(0, 45).Select(i => "aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0zC"[i * 7 % 32]));

    public static TheoryData<string, string> Secrets => new()
    {
        { "secrets.private_key", "-----BEGIN RSA " + "PRIVATE KEY-----" },
        { "secrets.token", "AKIA" + "IOSFODNN7EXAMPLE" },
        { "secrets.token", "ghp_" + Alnum[..36] },
        { "secrets.token", "glpat-" + Alnum[..20] },
        { "secrets.token", "xoxb-" + "123456789012-" + Alnum[..20] },
        { "secrets.token", "https://hooks.slack.com/" + "services/T00000000/B00000000/" + Alnum[..24] },
        { "secrets.token", "AIza" + Alnum[..35] },
        { "secrets.token", "sk_live_" + Alnum[..24] },
        { "secrets.token", "hvs." + Alnum[..24] },
        { "secrets.token", "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0NTY3ODkwIn0." + Alnum[..30] },
        { "secrets.token", "Bearer " + Alnum[..30] },
        { "secrets.url_credentials", "postgresql://kpi:" + "hunter2@db.example.org/kpi" },
        { "secrets.connection_string", "Host=db;Username=kpi;Pass" + "word=hunter2;" },
        { "secrets.connection_string", "AccountName=a;AccountKey=" + Alnum[..40] + "==" },
    };

    [Theory, MemberData(nameof(Secrets))]
    public void A_secret_is_found_wherever_it_stands_and_never_repeated(string rule, string secret)
    {
        string[] places = [$"description: \"{secret}\"", $"x-note: {{ deep: [1, {{ a: '{secret}' }}] }}", $"# {secret}", $"timeout: '{secret}'", $"\"x-{secret}\": 1", $"owners: [ # {secret}", $"owners: {{ business: \"{Escaped(secret)}\" }}"];
        Assert.All(places, line =>
        {
            var reading = Job.With(line);
            Assert.Contains(reading.Findings, f => f.Rule == rule && f.Severity == Severity.Error && f.Line == 6 && f.Column >= 1);
            Assert.DoesNotContain(reading.Findings, f => f.ToString().Contains(secret[^12..].TrimEnd('-', ';', '='), StringComparison.Ordinal) && !line.Contains("hunter2", StringComparison.Ordinal));
            Assert.DoesNotContain(reading.Findings, f => f.ToString().Contains("hunter2", StringComparison.Ordinal));
        });
    }

    [Theory]
    [InlineData("x-db: { password: hunter2 }", "/x-db/password")]
    [InlineData("x-db: { DB_PASSWORD: 123456 }", "/x-db/DB_PASSWORD")]
    [InlineData("x-api: { apiKey: k3J9x0Qz7LmP2vR8 }", "/x-api/apiKey")]
    [InlineData("x-api: { tokens: [aaaa, k3J9x0Qz7LmP2vR8] }", "/x-api/tokens/1")]
    [InlineData("runtime: { filters: [{ field: password, op: \"=\", value: hunter2 }] }", "/runtime/filters/0/value")]
    public void A_telling_name_betrays_a_secret(string line, string path) => Assert.Equal(path, Job.Only("secrets.named", Job.With(line)).Path);

    [Theory]
    [InlineData("description: The password is in the vault; ask the owner, not the token.")]
    [InlineData("x-db: { password: \"vault:kv/kpi#password\", token_ref: env:KPI_TOKEN }")]
    [InlineData("x-links: { runbook: \"https://wiki.example.org/a:b?c=d@e\" }")]
    [InlineData("x-secrets: { policy: none-in-artifacts }")]
    [InlineData("x-hash: sha256:9065783de83644d12ff88be4ecc1ecfcb79f5e5d8fd305ca8b1ac135299b94ad")]
    [InlineData("owners: { business: ann@example.org }")]
    [InlineData("alerts: [{ channel: \"pagerduty:kpi-key-ref\", severity: low }]")]
    public void What_is_no_secret_is_left_alone(string line) => Assert.Empty(Job.With(line).Findings);

    private static string Escaped(string secret) => string.Concat(secret.Select(c => $"\\u{(int)c:x4}"));
}
