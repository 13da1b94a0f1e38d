import com.amazon.sqs.javamessaging.AmazonSQSExtendedClient;
import com.amazon.sqs.javamessaging.ExtendedClientConfiguration;
import java.net.URI;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.sqs.SqsClient;

/** AWS's extended client for Java: sends a large message, or receives all, says what they are and deletes them. */
class Client {
  public static void main(String[] args) {
    String command = args[0], queue = args[1], bucket = args[2], sqsEndpoint = args[3], s3Endpoint = args[4];
    var keys = StaticCredentialsProvider.create(AwsBasicCredentials.create(args[5], args[6]));
    var s3 = S3Client.builder().endpointOverride(URI.create(s3Endpoint)).forcePathStyle(true)
        .region(Region.US_EAST_1).credentialsProvider(keys).build();
    var plain = SqsClient.builder().endpointOverride(URI.create(sqsEndpoint)).region(Region.US_EAST_1)
        .credentialsProvider(keys).build();
    // Legacy attribute or not: both have been on the wire.
    var config = new ExtendedClientConfiguration().withPayloadSupportEnabled(s3, bucket)
        .withLegacyReservedAttributeNameDisabled();
    try (var sqs = new AmazonSQSExtendedClient(plain, config)) {
      if (command.equals("send")) {
        sqs.sendMessage(request -> request.queueUrl(queue).messageBody("j".repeat(400_000)));
        return;
      }
      for (var message : sqs.receiveMessage(request -> request.queueUrl(queue).maxNumberOfMessages(10)).messages()) {
        System.out.println(message.body().length() + " " + message.body().charAt(0));
        sqs.deleteMessage(request -> request.queueUrl(queue).receiptHandle(message.receiptHandle()));
      }
    }
  }
}
