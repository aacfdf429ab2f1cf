using Google.Protobuf.Reflection;
using Google.Rpc;
using Grpc.Core;
using KpiControl.Control.Hosting;
using KpiControl.Control.Security;
using Microsoft.AspNetCore.Grpc.JsonTranscoding;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Options;
using HttpRequest = Microsoft.AspNetCore.Http.HttpRequest;

namespace KpiControl.Control.Rest;

/// <summary>
/// What every REST request passes before the transcoding: who calls, then whether each name and value is one that the
/// method knows. What comes out on the other side has no surprise left for the transcoding.
/// </summary>
internal sealed class RestEdge(RequestDelegate next, EndpointDataSource endpoints, CallRates rates, IOptions<LimitOptions> limits)
{
    public async Task InvokeAsync(HttpContext context)
    {
        if (GrpcEdge.IsGrpc(context.Request))
        {
            await next(context);
            return;
        }
        var method = context.GetEndpoint()?.Metadata.GetMetadata<GrpcJsonTranscodingMetadata>();
        try
        {
            if (method is not null)
                await PrepareAsync(context, method);
        }
        catch (RpcException refused)
        {
            await StatusResponse.WriteAsync(context, refused, TooLargeOrNull(refused));
            return;
        }
        if (method is { MethodDescriptor.IsServerStreaming: false })
            await CallDeadline.RunAsync(context, limits.Value.LongestCall, () => next(context));
        else
            await next(context);
        if (!context.Response.HasStarted && context.Response is { ContentType: null, StatusCode: 404 or 405 or 415 })
            await WithoutMethodAsync(context);
    }

    private async Task PrepareAsync(HttpContext context, GrpcJsonTranscodingMetadata metadata)
    {
        var method = metadata.MethodDescriptor;
        // Before anything of the request is looked at: who may not call learns nothing about what they sent.
        Admission.Demand(context, $"/{method.Service.FullName}/{method.Name}");
        rates.Demand(context.User);
        var type = method.InputType;
        var hasBody = metadata.HttpRule.Body.Length > 0;
        if (!hasBody)
        {
            RequestFieldsCheck.Check(context.Request, type, _ => true);
            return;
        }
        var body = await ReadAsync(context);
        if (Artifact(context.Request, body, type) is { } format)
        {
            RequestFieldsCheck.Check(context.Request, type, name => name is not ("content" or "format"));
            body = ArtifactUpload.Envelope(JsonBody.Decode(body), format, context.Request, type);
            context.Request.QueryString = QueryString.Empty;
        }
        else
        {
            RequestFieldsCheck.Check(context.Request, type, _ => false);
            body = Json(context.Request, body, type);
        }
        context.Request.Body = new MemoryStream(body);
        context.Request.ContentLength = body.Length;
        context.Request.ContentType = "application/json";
    }

    private static string? Artifact(HttpRequest request, byte[] body, MessageDescriptor type)
    {
        if (!ArtifactUpload.Takes(type))
            return null;
        var media = MediaType(request);
        if (media.Length == 0 && !IsEmpty(body) && body.AsSpan().TrimStart(" \t\r\n"u8)[0] != '{')
            return "yaml"; // Nobody said what it is, and JSON it is not.
        if (ArtifactUpload.IsYaml(media))
            return body.Length == 0 ? throw Reject.Invalid("body", "is empty: send the artifact's text") : "yaml";
        return media is "application/json" or "" && ArtifactUpload.IsArtifact(body, type) ? "json" : null;
    }

    private static byte[] Json(HttpRequest request, byte[] body, MessageDescriptor type)
    {
        if (IsEmpty(body))
            return "{}"u8.ToArray();
        if (MediaType(request) is var media && media is not ("application/json" or "" or "text/json"))
            throw StatusResponse.Of(Code.InvalidArgument, "UNSUPPORTED_MEDIA_TYPE",
                $"The body's type is not taken here; send 'Content-Type: application/json'{(ArtifactUpload.Takes(type) ? " or application/yaml" : "")}.");
        var text = System.Text.Encoding.UTF8.GetBytes(JsonBody.Decode(body));
        JsonBody.Check(text, type, ArtifactUpload.Takes(type) ? "; an artifact in YAML is sent as 'Content-Type: application/yaml'" : "");
        return text;
    }

    private static bool IsEmpty(byte[] body) => body.AsSpan().Trim(" \t\r\n"u8).IsEmpty;

    private static string MediaType(HttpRequest request) => (request.ContentType ?? "").Split(';')[0].Trim().ToLowerInvariant();

    private static async Task<byte[]> ReadAsync(HttpContext context)
    {
        using var body = new MemoryStream();
        try
        {
            await context.Request.Body.CopyToAsync(body, context.RequestAborted);
            return body.ToArray();
        }
        catch (BadHttpRequestException refused) when (refused.StatusCode == StatusCodes.Status413PayloadTooLarge)
        {
            var most = context.Features.Get<IHttpMaxRequestBodySizeFeature>()?.MaxRequestBodySize;
            throw Reject.TooLarge(FormattableString.Invariant($"The body is larger than {most >> 20} MiB."));
        }
        catch (BadHttpRequestException)
        {
            throw Reject.Invalid("body", "ended early or is badly framed");
        }
    }

    private static int? TooLargeOrNull(RpcException refused) => refused.GetRpcStatus()?.GetDetail<ErrorInfo>()?.Reason switch
    {
        "TOO_LARGE" => 413,
        "UNSUPPORTED_MEDIA_TYPE" => 415,
        _ => null,
    };

    // gRPC's own fallback takes every path of two segments, and so hides from routing that the method alone is wrong.
    private Task WithoutMethodAsync(HttpContext context)
    {
        var allowed = RestPaths.MethodsAt(endpoints, context.Request.Path);
        if (context.Response.StatusCode == 415)
            return StatusResponse.WriteAsync(context, StatusResponse.Of(Code.InvalidArgument, "UNSUPPORTED_MEDIA_TYPE", "The body's type is not taken here."), 415);
        if (allowed.Length == 0 && context.Response.StatusCode == 404)
            return StatusResponse.WriteAsync(context, StatusResponse.Of(Code.NotFound, "NO_SUCH_PATH", "Nothing is served at this path; /openapi/v1.json lists what is."), 404);
        if (allowed.Length > 0)
            context.Response.Headers.Allow = allowed;
        return StatusResponse.WriteAsync(context, StatusResponse.Of(Code.Unimplemented, "METHOD_NOT_ALLOWED",
            $"{context.Request.Method} is not taken at this path; it takes {context.Response.Headers.Allow}."), 405);
    }
}
