using System.Security.Cryptography;
using System.Text;

namespace KpiControl.Jobs.Artifacts;

/// <summary>The identity of what an artifact means: <c>sha256:</c> and 64 lower-case hex digits over its canonical JSON.</summary>
public static class ContentHash
{
    public const string Prefix = "sha256:";

    public static string OfCanonicalJson(string canonicalJson) => Of(Encoding.UTF8.GetBytes(canonicalJson));

    public static string Of(ReadOnlySpan<byte> bytes) => Prefix + Convert.ToHexStringLower(SHA256.HashData(bytes));
}
