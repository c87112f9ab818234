using System.Text;
using System.Text.Json;

namespace Vks.Spherelet.Images;

/// <summary>What <c>crictl inspecti</c> shows of an image besides its names.</summary>
internal static class ImageDetails
{
    /// <summary>JSON with the chain id, layers and the whole image config, under the names containerd uses.</summary>
    public static string Of(ImageRecord image, ImageDirectory directory)
    {
        using MemoryStream json = new();
        using (Utf8JsonWriter writer = new(json))
        {
            writer.WriteStartObject();
            writer.WriteString("chainID", "sha256:" + image.ChainId);
            writer.WriteString("pulledAt", image.PulledAt);
            writer.WriteString("diskPath", directory.Disk(image.ChainId));
            writer.WriteStartArray("layers");
            foreach (string layer in image.Layers)
            {
                writer.WriteStringValue(layer);
            }

            writer.WriteEndArray();
            string config = directory.Blob(image.Id);
            if (File.Exists(config))
            {
                writer.WritePropertyName("imageSpec");
                writer.WriteRawValue(File.ReadAllBytes(config));
            }

            writer.WriteEndObject();
        }

        return Encoding.UTF8.GetString(json.ToArray());
    }
}
