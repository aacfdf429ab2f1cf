using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Google.Rpc;
using Grpc.Core;

namespace KpiControl.Control.Rest;

/// <summary>Errors that no method made, in the shape of those that methods make: google.rpc.Status as JSON.</summary>
internal static class StatusResponse
{
    private static readonly JsonFormatter Formatter = new(new JsonFormatter.Settings(formatDefaultValues: false, TypeRegistry.FromFiles(ErrorDetailsReflection.Descriptor)));

    private static readonly JsonSerializerOptions Compact = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <param name="http">Where HTTP says it more exactly than the code's own mapping.</param>
    public static async Task WriteAsync(HttpContext context, RpcException error, int? http = null)
    {
        context.Response.StatusCode = http ?? Http(error.StatusCode);
        context.Response.ContentType = "application/json";
        if (error.StatusCode == StatusCode.Unauthenticated)
            context.Response.Headers.WWWAuthenticate = "Bearer";
        if (error.GetRpcStatus()?.GetDetail<RetryInfo>() is { RetryDelay: { } wait })
            context.Response.Headers.RetryAfter = Math.Max(1, wait.Seconds + (wait.Nanos > 0 ? 1 : 0)).ToString(System.Globalization.CultureInfo.InvariantCulture);
        var status = error.GetRpcStatus() ?? new Google.Rpc.Status { Code = (int)error.StatusCode, Message = error.Status.Detail };
        // As compact as the transcoding writes its own.
        await context.Response.WriteAsync(JsonNode.Parse(Formatter.Format(status))!.ToJsonString(Compact), context.RequestAborted);
    }

    public static RpcException Of(Code code, string reason, string message)
    {
        var status = new Google.Rpc.Status { Code = (int)code, Message = message };
        status.Details.Add(Google.Protobuf.WellKnownTypes.Any.Pack(new ErrorInfo { Reason = reason, Domain = Hosting.Reject.Domain }));
        return status.ToRpcException();
    }

    private static int Http(StatusCode code) => code switch
    {
        StatusCode.InvalidArgument or StatusCode.FailedPrecondition or StatusCode.OutOfRange => 400,
        StatusCode.Unauthenticated => 401,
        StatusCode.PermissionDenied => 403,
        StatusCode.NotFound => 404,
        StatusCode.AlreadyExists or StatusCode.Aborted => 409,
        StatusCode.ResourceExhausted => 429,
        StatusCode.Unimplemented => 501,
        StatusCode.Unavailable => 503,
        _ => 500,
    };
}
