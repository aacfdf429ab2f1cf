using System.Security.Cryptography;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace KpiControl.Samples.Issuer;

/// <summary>The issuer's RSA key: made on this machine at the first start, never shipped.</summary>
internal sealed class SigningKey(RSA rsa)
{
    public const string Audience = "kpi-control";

    private readonly RsaSecurityKey key = new(rsa) { KeyId = Thumbprint(rsa) };

    public static SigningKey Create() => new(RSA.Create(2048));

    public static SigningKey LoadOrCreate(string directory)
    {
        var path = Path.Combine(directory, "key.pem");
        if (!File.Exists(path))
            PrivateFile.Write(path, RSA.Create(2048).ExportPkcs8PrivateKeyPem());

        var rsa = RSA.Create();
        rsa.ImportFromPem(File.ReadAllText(path));
        return new SigningKey(rsa);
    }

    public string Token(string issuer, IDictionary<string, object> claims, TimeSpan lifetime, string audience = Audience, string type = "at+jwt", IDictionary<string, object>? header = null)
    {
        var now = TimeProvider.System.GetUtcNow().UtcDateTime;
        return new JsonWebTokenHandler { SetDefaultTimesOnTokenCreation = false }.CreateToken(new SecurityTokenDescriptor
        {
            Issuer = issuer,
            Audience = audience,
            TokenType = type,
            IssuedAt = now,
            Expires = lifetime == Timeout.InfiniteTimeSpan ? null : now + lifetime,
            Claims = claims,
            AdditionalHeaderClaims = header,
            SigningCredentials = new SigningCredentials(key, SecurityAlgorithms.RsaSha256),
        });
    }

    public object PublicKeys()
    {
        var p = rsa.ExportParameters(includePrivateParameters: false);
        var jwk = new
        {
            kty = "RSA", use = "sig", alg = "RS256", kid = key.KeyId,
            n = Base64UrlEncoder.Encode(p.Modulus), e = Base64UrlEncoder.Encode(p.Exponent),
        };
        return new { keys = new[] { jwk } };
    }

    private static string Thumbprint(RSA rsa) =>
        Convert.ToHexStringLower(SHA256.HashData(rsa.ExportSubjectPublicKeyInfo()))[..16];
}
